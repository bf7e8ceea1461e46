import type { LeaseLostError } from '../errors.ts'
import type { Message } from '../message.ts'

export interface WorkerEvents<Row> {
  /** A receive was answered; `count` may be 0, `limitedBy` says why. */
  received: { count: number; limitedBy: string | null }
  /** The handler is done with a message; its ack is on the way. */
  processed: { message: Message<Row>; durationMs: number }
  /** The handler threw, or took too long; the nack or dead letter is on the way. */
  failed: {
    message: Message<Row>
    error: unknown
    durationMs: number
    outcome: 'nack' | 'dead_letter'
  }
  /** The server has answered for a message. */
  settled: { message: Message<Row>; status: 'acked' | 'nacked' | 'dead_lettered' }
  /** The message is not ours any more; it will be delivered again. `settling`: the work was done. */
  leaseLost: {
    message: Message<Row>
    phase: 'waiting' | 'handling' | 'settling'
    error: LeaseLostError
  }
  /** A request failed, after its retries. The worker goes on, unless it is told no for good. */
  error: { error: unknown; during: 'receive' | 'extend' | 'settle'; message?: Message<Row> }
  stopping: { graceMs: number }
  stopped: Record<string, never>
}

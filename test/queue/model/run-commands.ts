import { sql } from 'kysely'

import type { Consumer } from '../../../src/queue/consumer.ts'
import { listMessages } from '../../../src/queue/operations/list-messages.ts'
import { purgeConsumer } from '../../../src/queue/operations/purge.ts'
import { discardMessages, redriveMessages } from '../../../src/queue/operations/redrive.ts'
import { startReplay } from '../../../src/queue/operations/replay.ts'
import { seekConsumer } from '../../../src/queue/operations/seek.ts'
import type { Received, Settlement } from '../../../src/queue/queue-service.ts'
import type { Database } from '../../../src/storage/database.ts'
import { givenConsumer, givenSource, moveClock, type GivenSource } from '../../support/given.ts'
import { startProcess, type TestProcess } from '../../support/queues.ts'
import type { Command } from './commands.ts'
import { QueueModel, type Delivery } from './queue-model.ts'

const PROCESSES = 3

/** Runs commands against the real queue, several processes on one storage, and judges every answer. */
export async function runCommands(
  storage: Database,
  name: string,
  commands: readonly Command[],
): Promise<void> {
  const source = await givenSource(storage, `source-${name}`)
  const consumer = await givenConsumer(storage, source.sourceNo, {
    name: `consumer-${name}`,
    max_in_flight: 20,
  })
  const processes = await Promise.all(
    Array.from({ length: PROCESSES }, () => startProcess(storage, { hasPeers: true })),
  )
  const run = new Run(storage, source, consumer, processes)
  try {
    for (const [index, command] of commands.entries()) {
      try {
        await run.execute(command)
        await run.checkPlaces()
      } catch (error) {
        throw new Error(
          `command ${index}, ${JSON.stringify(command)}: ${String(error)}\n${run.history(error)}`,
          {
            cause: error,
          },
        )
      }
    }
  } finally {
    await Promise.all(processes.map((process) => process.stop()))
  }
}

class Run {
  readonly #model = new QueueModel()
  readonly #received: { received: Received; deliveries: Delivery[]; process: TestProcess }[] = []
  readonly #storage: Database
  readonly #source: GivenSource
  readonly #consumer: Consumer
  readonly #processes: TestProcess[]

  constructor(
    storage: Database,
    source: GivenSource,
    consumer: Consumer,
    processes: TestProcess[],
  ) {
    this.#storage = storage
    this.#source = source
    this.#consumer = consumer
    this.#processes = processes
  }

  /** What was answered about the message that an error names. */
  history(error: unknown): string {
    const seq = /seq (\d+)/.exec(String(error))?.[1]
    return this.#model.log.filter((line) => line.includes(` seq ${seq}/`)).join('\n')
  }

  async execute(command: Command): Promise<void> {
    const { db } = this.#storage
    switch (command.kind) {
      case 'append':
        await this.#source.append(command.changes)
        this.#model.append(command.changes)
        return
      case 'receive':
        await this.#receive(this.#processes[command.process]!, command)
        return
      case 'receiveTogether': {
        const all = await Promise.all(
          Array.from({ length: command.callers }, async (_, index) => {
            const process = this.#processes[index % PROCESSES]!
            return { process, received: await process.receive(this.#consumer, command) }
          }),
        )
        // Which came first is not known: told in the order of the log they must fit all the same.
        const firstSeq = ({ received }: { received: Received }): number =>
          received.messages[0]?.seq ?? 0
        all.sort((a, b) => firstSeq(a) - firstSeq(b))
        for (const { process, received } of all) this.#note(process, received)
        return
      }
      case 'ack':
      case 'nack':
      case 'deadLetter':
      case 'extend':
        await this.#settle(command)
        return
      case 'giveBack': {
        const held = this.#received[command.pick % Math.max(1, this.#received.length)]
        // A process that has stopped gives nothing back: then the lease runs out.
        if (!held || !this.#processes.includes(held.process)) return
        await held.received.giveBack()
        for (const delivery of held.deliveries) this.#model.giveBack(delivery)
        return
      }
      case 'passTime':
        await moveClock(this.#storage, command.ms)
        return
      case 'restart':
        await this.#processes[command.process]!.stop()
        this.#processes[command.process] = await startProcess(this.#storage, { hasPeers: true })
        return
      case 'pause':
      case 'resume':
        await sql`update millrace.consumer set config_version = config_version + 1,
            paused_until = ${command.kind === 'pause' ? 'infinity' : null}::timestamptz
          where consumer_no = ${this.#consumer.consumerNo}`.execute(db)
        await sql`notify millrace_config`.execute(db)
        return
      case 'seek': {
        const target = { seq: this.#partOfLog(command.part) + 1 }
        const { cursorSeq } = await seekConsumer(db, this.#consumer, target, { dryRun: false })
        this.#model.seek(cursorSeq)
        return
      }
      case 'replay': {
        const from = Math.min(command.from, command.to)
        const to = Math.max(command.from, command.to)
        await startReplay(db, this.#consumer, {
          from: { seq: this.#partOfLog(from) + 1 },
          to: { seq: this.#partOfLog(to) + 1 },
          key: null,
        }).catch((error: unknown) => {
          // Too many at once is refused: that is an answer, not a fault.
          if ((error as { code?: string }).code !== 'conflict') throw error
        })
        return
      }
      case 'redrive': {
        const dead = await this.#listDead()
        await redriveMessages(db, this.#consumer, 'all', { skipSuperseded: false })
        this.#model.redrive(dead)
        return
      }
      case 'discard': {
        const dead = await this.#listDead()
        await discardMessages(db, this.#consumer, 'all')
        this.#model.discard(dead)
        return
      }
      case 'purge':
        await purgeConsumer(db, this.#consumer)
        this.#model.seek(this.#model.head)
    }
  }

  async #receive(
    process: TestProcess,
    command: Extract<Command, { kind: 'receive' }>,
  ): Promise<void> {
    this.#note(process, await process.receive(this.#consumer, command))
  }

  #note(process: TestProcess, received: Received): void {
    this.#model.receive(received.messages)
    const deliveries = this.#model.deliveries.slice(-received.messages.length || Infinity)
    if (received.messages.length > 0) this.#received.push({ received, deliveries, process })
  }

  async #settle(
    command: Extract<Command, { kind: 'ack' | 'nack' | 'deadLetter' | 'extend' }>,
  ): Promise<void> {
    const all = this.#model.deliveries
    if (all.length === 0) return
    // Mostly the newest ones, as a client would; now and then an old one.
    const picked = [
      ...new Set(
        command.picks.map((pick) => all[(all.length - 1 - pick + all.length * 50) % all.length]!),
      ),
    ]
    const results = await this.#processes[command.process]!.settle(
      this.#consumer,
      picked.map((delivery) => toSettlement(command, delivery)),
    )
    for (const [index, delivery] of picked.entries()) {
      this.#model.settle(
        delivery,
        command.kind,
        results[index]!,
        command.kind === 'nack' ? { count: command.count } : {},
      )
    }
  }

  async #listDead(): Promise<{ seq: number; replay: number }[]> {
    return listMessages(this.#storage.db, this.#consumer, {
      state: 'dead',
      afterSeq: 0,
      limit: 1000,
    })
  }

  #partOfLog(percent: number): number {
    return Math.floor((this.#model.head * percent) / 100)
  }

  /** Invariants 3 and 4, as the storage has it. */
  async checkPlaces(): Promise<void> {
    const { rows } = await this.#storage.pool.query<{
      cursor: string
      places: { key: string; place: string }[] | null
    }>(
      `select (
         select cursor_seq from millrace.tick where consumer_no = $1 order by version desc limit 1
       ) as cursor, (
         select json_agg(json_build_object('key', key, 'place', place)) from (
           select held.seq || '/' || coalesce(held.replay, 0) as key, 'leased' as place
           from millrace.lease, unnest(seqs, replays) as held (seq, replay) where consumer_no = $1
           union all
           select seq || '/' || replay_no, state from millrace.delivery
           where consumer_no = $1 and state in ('retrying', 'waiting', 'dead')
         ) as all_places
       ) as places`,
      [this.#consumer.consumerNo],
    )
    const { cursor, places } = rows[0]!
    const byMessage = new Map<string, string[]>()
    for (const { key, place } of places ?? []) {
      byMessage.set(key, [...(byMessage.get(key) ?? []), place])
    }
    this.#model.checkPlaces(byMessage, Number(cursor))
  }
}

function toSettlement(
  command: Extract<Command, { kind: 'ack' | 'nack' | 'deadLetter' | 'extend' }>,
  { ackId }: Delivery,
): Settlement {
  switch (command.kind) {
    case 'ack':
      return { kind: 'ack', ackId }
    case 'nack':
      return {
        kind: 'nack',
        ackId,
        countAttempt: command.count,
        ...(command.delayMs === null ? {} : { delayMs: command.delayMs }),
      }
    case 'deadLetter':
      return { kind: 'dead_letter', ackId }
    default:
      return { kind: 'extend', ackId, visibilityTimeoutMs: command.ms }
  }
}

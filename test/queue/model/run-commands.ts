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
import { pauseConsumer, resumeConsumer } from '../../../src/queue/consumer-store.ts'
import type { Command, Settings } from './commands.ts'
import { QueueModel, type Delivery, type StoredPlace } from './queue-model.ts'

const PROCESSES = 3
const MAX_IN_FLIGHT = 20
/** Longer than any lease or retry of the commands. */
const LONG_MS = 2 * 3_600_000
/** For what must come; only a fault makes anybody wait so long. */
const WAIT_MS = 30_000
const DRAIN_ROUNDS_MAX = 2000

/** Runs commands against the real queue, several processes on one storage, and judges every answer. */
export async function runCommands(
  storage: Database,
  settings: Settings,
  commands: readonly Command[],
): Promise<void> {
  const source = await givenSource(storage)
  const consumer = await givenConsumer(storage, source.sourceNo, {
    max_in_flight: MAX_IN_FLIGHT,
    ordering: settings.ordering,
    ...(settings.maxDeliveries === null ? {} : { max_deliveries: settings.maxDeliveries }),
  })
  const processes = await Promise.all(
    Array.from({ length: PROCESSES }, () => startProcess(storage, { hasPeers: true })),
  )
  const model = new QueueModel(settings, MAX_IN_FLIGHT)
  const run = new Run(storage, source, consumer, processes, model)
  const blame = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      throw new Error(`${what}: ${String(error)}\n${run.history(error)}`, { cause: error })
    }
  }
  try {
    for (const [index, command] of commands.entries()) {
      await blame(`command ${index}, ${JSON.stringify(command)}`, async () => {
        await run.execute(command)
        await run.checkPlaces()
      })
    }
    await blame('working off the rest', () => run.drain())
  } finally {
    await Promise.all(processes.map((process) => process.stop()))
  }
}

class Run {
  readonly #model: QueueModel
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
    model: QueueModel,
  ) {
    this.#model = model
    this.#storage = storage
    this.#source = source
    this.#consumer = consumer
    this.#processes = processes
  }

  /** What was answered about the message that an error names. */
  history(error: unknown): string {
    const seq = /(?:seq|message) (\d+)/.exec(String(error))?.[1]
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
        const clockMs = await this.#readClock()
        for (const { process, received } of all) this.#note(process, received, clockMs)
        return
      }
      case 'ack':
      case 'nack':
      case 'deadLetter':
      case 'extend':
        await this.#settle(command)
        return
      case 'ackAndReceive': {
        const process = this.#processes[command.process]!
        const acking = this.#settle({ ...command, kind: 'ack' })
        const receiving = process.receive(this.#consumer, command)
        await acking
        this.#note(process, await receiving, await this.#readClock())
        return
      }
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
        await pauseConsumer(db, this.#consumer.id, {})
        this.#model.isPaused = true
        return
      case 'resume':
        await resumeConsumer(db, this.#consumer.id)
        this.#model.isPaused = false
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
        this.#model.purge()
    }
  }

  async #receive(
    process: TestProcess,
    options: { batchSize: number; visibilityTimeoutMs?: number; waitMs?: number },
  ): Promise<Received> {
    const received = await process.receive(this.#consumer, options)
    this.#note(process, received, await this.#readClock())
    return received
  }

  /** Nothing is forgotten: in the end all that is open comes, whichever process is asked. */
  async drain(): Promise<void> {
    await this.execute({ kind: 'resume' })
    for (let round = 0; (await this.#isAnythingOpen()) !== false; round += 1) {
      if (round > DRAIN_ROUNDS_MAX) throw new Error('it does not become empty')
      const process = this.#processes[round % PROCESSES]!
      let { messages } = await this.#receive(process, { batchSize: 100 })
      if (messages.length === 0) {
        await moveClock(this.#storage, LONG_MS)
        await this.checkPlaces()
        const open = await this.#isAnythingOpen()
        const waitMs = open === 'messages' ? WAIT_MS : 0
        messages = (await this.#receive(process, { batchSize: 100, waitMs })).messages
        if (messages.length === 0 && open === 'messages' && (await this.#isAnythingOpen())) {
          throw new Error('messages are open, and nothing is delivered')
        }
      }
      const held = this.#model.deliveries.slice(this.#model.deliveries.length - messages.length)
      const results = await this.#processes[(round + 1) % PROCESSES]!.settle(
        this.#consumer,
        held.map(({ ackId }) => ({ kind: 'ack', ackId })),
      )
      for (const [index, delivery] of held.entries()) {
        this.#model.settle(delivery, 'ack', results[index]!)
      }
      await this.checkPlaces()
    }
  }

  async #isAnythingOpen(): Promise<'messages' | 'replay' | false> {
    const counts = await this.#processes[0]!.queues.getStats(this.#consumer)
    if (counts.backlog + counts.leased + counts.retrying + counts.waiting > 0) return 'messages'
    const { rows } = await this.#storage.pool.query(
      'select from millrace.replay where consumer_no = $1 and finished_at is null',
      [this.#consumer.consumerNo],
    )
    return rows.length > 0 && 'replay'
  }

  async #readClock(): Promise<number> {
    const { rows } = await this.#storage.pool.query<{ ms: string }>(
      'select (extract(epoch from millrace.clock()) * 1000)::bigint as ms',
    )
    return Number(rows[0]!.ms)
  }

  #note(process: TestProcess, received: Received, clockMs: number): void {
    this.#model.receive(received.messages, clockMs)
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
      limit: 1000,
    })
  }

  #partOfLog(percent: number): number {
    return Math.floor((this.#model.head * percent) / 100)
  }

  /** Judges where the storage has all messages. */
  async checkPlaces(): Promise<void> {
    const { rows } = await this.#storage.pool.query<{
      clock_ms: string
      cursor: string
      places: StoredPlace[]
    }>(
      `select (extract(epoch from millrace.clock()) * 1000)::bigint as clock_ms, (
         select cursor_seq from millrace.tick where consumer_no = $1 order by version desc limit 1
       ) as cursor, (
         select coalesce(json_agg(json_build_object('key', key, 'place', place, 'leaseNo', lease_no)), '[]')
         from (
           select held.seq || '/' || coalesce(held.replay, 0) as key, 'leased' as place, lease_no
           from millrace.lease, unnest(seqs, replays) as held (seq, replay) where consumer_no = $1
           union all
           select seq || '/' || replay_no, state, null from millrace.delivery
           where consumer_no = $1 and state in ('retrying', 'waiting', 'dead')
         ) as all_places
       ) as places`,
      [this.#consumer.consumerNo],
    )
    const { clock_ms, cursor, places } = rows[0]!
    this.#model.checkPlaces(places, Number(cursor), Number(clock_ms))
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

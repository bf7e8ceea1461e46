import type { CallOptions } from '../../../sdk/src/http.ts'
import type { Message } from '../../../sdk/src/message.ts'
import type {
  QueueClient,
  ReceiveOptions,
  SettleAnswer,
  SettleBody,
} from '../../../sdk/src/queue-client.ts'

export interface Row {
  id: number
}

interface Entry {
  readonly id: number
  readonly group: string | null
  state: 'ready' | 'leased' | 'acked' | 'dead'
  attempt: number
  ackId: string
  leasedUntil: number
  visibleAt: number
  reason: string | undefined
}

/** The row's id, which is there whatever was done to the row. */
export function idOf({ record }: Message<Row>): number {
  return record.id ?? Number.NaN
}

type Status = SettleAnswer['results'][number]['status']

/**
 * A queue in memory that keeps the server's promises: leases with a time, groups in
 * order, answers per id. Its clock is `performance.now()`, so that tests can move it.
 */
export class FakeQueue implements QueueClient {
  readonly entries: Entry[] = []
  /** Calls by kind, in order, for tests that count them. */
  readonly calls: { kind: 'receive' | 'extend' | 'settle'; ids: string[] }[] = []
  /** Thrown by the next calls of a kind. */
  readonly failures: { kind: 'receive' | 'extend' | 'settle'; error: Error }[] = []
  /** Awaited by calls before they do anything. */
  gate: Promise<void> = Promise.resolve()
  #deliveries = 0
  readonly #waiters = new Set<() => void>()

  add(...messages: { id: number; group?: string | null }[]): void {
    for (const { id, group = null } of messages) {
      this.entries.push({
        id,
        group,
        state: 'ready',
        attempt: 0,
        ackId: '',
        leasedUntil: 0,
        visibleAt: 0,
        reason: undefined,
      })
    }
    this.#wake()
  }

  entry(id: number): Entry {
    const entry = this.entries.find((candidate) => candidate.id === id)
    if (!entry) throw new Error(`no entry ${id}`)
    return entry
  }

  /** As a seek does: the leases are gone, and the messages are there again. */
  loseLeases(...ids: number[]): void {
    for (const id of ids) Object.assign(this.entry(id), { state: 'ready', ackId: '' })
    this.#wake()
  }

  /** As if another process had received them, whose leases last. */
  steal(...ids: number[]): void {
    for (const id of ids) {
      Object.assign(this.entry(id), {
        state: 'leased',
        ackId: `other.${id}`,
        leasedUntil: Infinity,
      })
    }
  }

  get settled(): boolean {
    return this.entries.every(({ state }) => state === 'acked' || state === 'dead')
  }

  async receive<R>(_consumer: string, options: ReceiveOptions = {}) {
    await this.#enter('receive', [])
    const { batchSize = 10, visibilityTimeoutMs = 30_000, signal } = options
    const limited_by = null
    for (;;) {
      signal?.throwIfAborted()
      const entries = this.#claim(batchSize, visibilityTimeoutMs)
      if (entries.length > 0) {
        const data = entries.map(toMessage) as unknown as Message<R>[]
        return { data, meta: { limited_by } }
      }
      await this.#waitForChange(signal)
    }
  }

  async ack(consumer: string, ackIds: string[]): Promise<SettleAnswer> {
    return this.settle(consumer, { acks: ackIds.map((ack_id) => ({ ack_id })) })
  }

  async nack(consumer: string, ackIds: string[]): Promise<SettleAnswer> {
    return this.settle(consumer, { nacks: ackIds.map((ack_id) => ({ ack_id })) })
  }

  async extend(_consumer: string, ackIds: string[], options: { visibilityTimeoutMs: number }) {
    await this.#enter('extend', ackIds)
    return toAnswer(
      ackIds.map((ackId) => {
        const entry = this.#leased(ackId)
        if (entry) entry.leasedUntil = performance.now() + options.visibilityTimeoutMs
        return { ackId, status: entry ? 'extended' : 'lease_lost' }
      }),
    )
  }

  async settle(_consumer: string, body: SettleBody, _options?: CallOptions): Promise<SettleAnswer> {
    const { acks = [], nacks = [], dead_letters = [] } = body
    const all = [...acks, ...nacks, ...dead_letters]
    await this.#enter(
      'settle',
      all.map(({ ack_id }) => ack_id),
    )
    const results = [
      ...acks.map(({ ack_id }) => this.#settle(ack_id, 'acked', { state: 'acked' })),
      ...nacks.map(({ ack_id, delay = 0, reason, count_attempt = true }) => {
        const visibleAt = performance.now() + Number(delay)
        const given = count_attempt ? {} : { attempt: (this.#leased(ack_id)?.attempt ?? 1) - 1 }
        return this.#settle(ack_id, 'nacked', { state: 'ready', visibleAt, reason, ...given })
      }),
      ...dead_letters.map(({ ack_id, reason }) =>
        this.#settle(ack_id, 'dead_lettered', { state: 'dead', reason }),
      ),
    ]
    this.#wake()
    return toAnswer(results)
  }

  #settle(ackId: string, status: Status, change: Partial<Entry>) {
    const entry = this.#leased(ackId)
    if (!entry) return { ackId, status: 'lease_lost' as const }
    Object.assign(entry, change)
    return { ackId, status }
  }

  /** A lease that ran out is still good while nobody else has the message. */
  #leased(ackId: string): Entry | undefined {
    return this.entries.find((entry) => entry.ackId === ackId && entry.state === 'leased')
  }

  #claim(max: number, visibilityTimeoutMs: number): Entry[] {
    const now = performance.now()
    const busy = new Set<string>()
    const claimed: Entry[] = []
    for (const entry of this.entries) {
      const expired = entry.state === 'leased' && entry.leasedUntil <= now
      const due = entry.state === 'ready' && entry.visibleAt <= now
      const open = entry.state === 'ready' || entry.state === 'leased'
      if ((due || expired) && claimed.length < max && !busy.has(entry.group ?? '')) {
        claimed.push(entry)
      } else if (open && entry.group !== null) busy.add(entry.group)
    }
    for (const entry of claimed) {
      entry.state = 'leased'
      entry.attempt++
      entry.ackId = `${entry.id}.${++this.#deliveries}`
      entry.leasedUntil = now + visibilityTimeoutMs
    }
    return claimed
  }

  async #enter(kind: 'receive' | 'extend' | 'settle', ids: string[]): Promise<void> {
    this.calls.push({ kind, ids })
    await this.gate
    const index = this.failures.findIndex((failure) => failure.kind === kind)
    if (index >= 0) throw this.failures.splice(index, 1)[0]?.error
  }

  #waitForChange(signal: AbortSignal | undefined): Promise<void> {
    const now = performance.now()
    const times = this.entries.flatMap(({ state, leasedUntil, visibleAt }) =>
      state === 'leased' ? [leasedUntil] : state === 'ready' ? [visibleAt] : [],
    )
    const next = Math.min(20_000, ...times.map((time) => time - now).filter((ms) => ms > 0))
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiters.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, next)
      this.#waiters.add(done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter()
  }
}

function toMessage({ id, group, attempt, ackId }: Entry): Message<Row> {
  return {
    ack_id: ackId,
    action: 'insert',
    record: { id },
    changes: null,
    metadata: {
      table_schema: 'public',
      table_name: 'orders',
      commit_timestamp: '2026-01-01T00:00:00Z',
      commit_lsn: id,
      commit_idx: 1,
      idempotency_key: `key-${id}`,
      database: { id: 'd', name: 'shop' },
      consumer: { id: 'c', name: 'inventory' },
    },
    delivery: { attempt, group, lease_expires_at: '2026-01-01T00:00:30Z' },
  }
}

function toAnswer(results: { ackId: string; status: Status }[]): SettleAnswer {
  return {
    success: results.every(({ status }) => status !== 'lease_lost'),
    results: results.map(({ ackId, status }) => ({ ack_id: ackId, status })),
    counts: {},
  }
}

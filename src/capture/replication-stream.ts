import type pg from 'pg'
import { LogicalReplicationService } from 'pg-logical-replication'

const TAG = { data: 0x77, keepalive: 0x6b, status: 0x72 } as const
const DATA_HEADER_BYTES = 25
const POSTGRES_EPOCH_MS = 946_684_800_000
/** A source without `wal_sender_timeout` is asked, and given up on, as with the usual one. */
const SENDER_TIMEOUT_DEFAULT_MS = 60_000
const STATUS_INTERVAL_MAX_MS = 15_000
const CLOSE_TIMEOUT_MS = 500
/** What Postgres 18 warns with where a publication is missing: by its place in the server, for texts are translated. */
const SKIPPED = 'LoadPublications'

export interface StreamHandlers {
  /** Looks at who answers before anything is read; what it throws ends the stream. */
  verify(system: SystemIdentity): Promise<void>
  /** The buffer is used again after the call: decode or copy, at once. */
  onMessage(message: Buffer): void
  onKeepalive(walEnd: bigint, replyRequested: boolean): void
  /** A change was left out, at this place of the stream: there was no publication for it. */
  onSkipped(): void
}

export interface StreamTarget {
  readonly slot: string
  readonly publication: string
  /** What texts come in. pg asks for UTF8 itself, whatever its options say. */
  readonly encoding: 'UTF8' | 'SQL_ASCII'
}

/** What LSNs belong to. */
export interface SystemIdentity {
  readonly systemIdentifier: string
  readonly timeline: number
  readonly lsn: string
  /** Where this timeline branched off from an earlier one, as text of Postgres; '' on the first. */
  readonly history: string
}

/** The source did not say a word for longer than it promises to be silent. */
class SilentSourceError extends Error {
  override readonly name = 'SilentSourceError'
}

/** pg's wire connection, as far as it is used here. */
interface Wire {
  readonly stream: NodeJS.ReadWriteStream & {
    destroy(error?: Error): void
    readonly destroyed: boolean
  }
  sendCopyFromChunk(chunk: Buffer): void
  end(): void
  on(event: 'copyData', listener: (message: { chunk: Buffer }) => void): void
  once(event: 'replicationStart' | 'end', listener: () => void): void
  removeAllListeners(event: string): void
}

/**
 * One logical replication connection, for one use. `pg-logical-replication` makes the
 * connection; status, keepalives and flow control are our own, because the library
 * confirms more than it was told to: one byte too many, which loses the transaction
 * right behind, and on its timer whatever it has received.
 */
export class ReplicationStream {
  /** Rejects when the connection fails; stays pending when `stop` ended it. */
  readonly failed: Promise<never>
  readonly #service: LogicalReplicationService
  readonly #slot: string
  readonly #publication: string
  readonly #encoding: string
  readonly #handlers: StreamHandlers
  #fail: (error: Error) => void = () => {}
  #wire: Wire | undefined
  #timer: NodeJS.Timeout | undefined
  #senderTimeoutMs = SENDER_TIMEOUT_DEFAULT_MS
  #confirmed = 0n
  #heardAt = 0
  #paused = false
  #stopped = false

  constructor(config: pg.ClientConfig, target: StreamTarget, handlers: StreamHandlers) {
    this.#slot = target.slot
    this.#publication = target.publication
    this.#encoding = target.encoding
    this.#handlers = handlers
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
    // Whoever starts the stream awaits it later; until then a failure is not unhandled.
    this.failed.catch(() => undefined)
    this.#service = new LogicalReplicationService(config, {
      acknowledge: { auto: false, timeoutSeconds: 0 },
      flowControl: { enabled: false },
    })
  }

  /** Resolves when the source streams. `confirmed` is what it knows to be stored. */
  start(confirmed: bigint): Promise<void> {
    this.#confirmed = confirmed
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        const reason = error instanceof Error ? error : new Error(String(error))
        reject(reason)
        this.#end(reason)
      }
      this.#service.on('error', fail)
      const plugin = {
        name: 'pgoutput',
        options: null,
        start: (client: pg.Client) => this.#run(client, resolve),
        // Never called: the stream has a listener of its own.
        parse: (buffer: Buffer) => buffer,
      }
      // From 0/0 the slot starts at what was confirmed; it knows better than anybody else.
      this.#service
        .subscribe(plugin, this.#slot, '0/0')
        .then(() => fail(new Error('the source ended the stream')), fail)
    })
  }

  /** Tells the source that everything before `lsn` is stored, exactly that. */
  confirm(lsn: bigint): void {
    if (lsn > this.#confirmed) this.#confirmed = lsn
    this.#sendStatus(false)
  }

  /** Stops reading the socket; what is on its way still arrives. Status goes on being sent. */
  pause(): void {
    this.#paused = true
    this.#wire?.stream.pause()
  }

  resume(): void {
    this.#paused = false
    this.#heardAt = performance.now()
    this.#wire?.stream.resume()
  }

  /** Says what is confirmed once more, and closes; a source that does not answer is cut off. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    const wire = this.#wire
    if (wire && !wire.stream.destroyed) {
      const ended = new Promise<void>((resolve) => wire.once('end', resolve))
      this.#sendStatus(false)
      wire.stream.resume()
      wire.end()
      const cut = setTimeout(() => wire.stream.destroy(), CLOSE_TIMEOUT_MS)
      await ended
      clearTimeout(cut)
    }
    // While it still connects the library would wait for the connection first.
    await Promise.race([
      this.#service.stop().catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, CLOSE_TIMEOUT_MS).unref()),
    ])
  }

  async #run(client: pg.Client, started: () => void): Promise<unknown> {
    const wire = (client as unknown as { connection: Wire }).connection
    this.#wire = wire
    client.on('notice', ({ routine }) => {
      if (routine === SKIPPED && !this.#stopped) this.#handlers.onSkipped()
    })
    await client.query(`set client_encoding = '${this.#encoding}'`)
    this.#senderTimeoutMs = await readSenderTimeout(client)
    await this.#handlers.verify(await identifySystem(client))
    if (this.#stopped) throw new Error('the stream was stopped')
    // The library's own listener makes a text and a promise of every message.
    wire.removeAllListeners('copyData')
    wire.on('copyData', ({ chunk }) => this.#receive(chunk))
    wire.once('replicationStart', () => {
      this.#keepTime()
      started()
    })
    return client.query(
      `START_REPLICATION SLOT ${client.escapeIdentifier(this.#slot)} LOGICAL 0/0 (
        proto_version '1', messages 'true',
        publication_names ${client.escapeLiteral(client.escapeIdentifier(this.#publication))})`,
    )
  }

  #receive(chunk: Buffer): void {
    if (this.#stopped) return
    this.#heardAt = performance.now()
    // An exception would go through the socket's callback and end the process.
    try {
      if (chunk[0] === TAG.data) {
        this.#handlers.onMessage(chunk.subarray(DATA_HEADER_BYTES))
      } else if (chunk[0] === TAG.keepalive && chunk.length >= 18) {
        const replyRequested = chunk[17] === 1
        this.#handlers.onKeepalive(chunk.readBigUInt64BE(1), replyRequested)
        if (replyRequested) this.#sendStatus(false)
      }
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Asks for a sign of life, and counts the time without one. */
  #keepTime(): void {
    this.#heardAt = performance.now()
    const interval = Math.min(this.#senderTimeoutMs / 3, STATUS_INTERVAL_MAX_MS)
    this.#timer = setInterval(() => {
      const silence = performance.now() - this.#heardAt
      // While paused nothing is read, answers neither.
      if (!this.#paused && silence > this.#senderTimeoutMs) {
        this.#end(new SilentSourceError(`the source was silent for ${Math.round(silence)} ms`))
      } else {
        this.#sendStatus(true)
      }
    }, interval)
  }

  #end(reason: Error): void {
    clearInterval(this.#timer)
    if (this.#stopped) return
    this.#stopped = true
    this.#fail(reason)
    this.#wire?.stream.destroy()
    this.#service.stop().catch(() => undefined)
  }

  #sendStatus(replyRequested: boolean): void {
    const status = Buffer.alloc(34)
    status[0] = TAG.status
    // Written, flushed, applied: all the same to us, for nothing is merely received.
    status.writeBigUInt64BE(this.#confirmed, 1)
    status.writeBigUInt64BE(this.#confirmed, 9)
    status.writeBigUInt64BE(this.#confirmed, 17)
    status.writeBigInt64BE(BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1000n, 25)
    status[33] = replyRequested ? 1 : 0
    this.#wire?.sendCopyFromChunk(status)
  }
}

async function readSenderTimeout(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ ms: string }>(
    `select setting as ms from pg_settings where name = 'wal_sender_timeout'`,
  )
  return Number(rows[0]?.ms ?? 0) || SENDER_TIMEOUT_DEFAULT_MS
}

async function identifySystem(client: pg.Client): Promise<SystemIdentity> {
  // The timeline is an int4 up to Postgres 15, and an int8 since.
  const { rows } = await client.query<{
    systemid: string
    timeline: string | number
    xlogpos: string
  }>('IDENTIFY_SYSTEM')
  const { systemid, xlogpos } = rows[0]!
  const timeline = Number(rows[0]!.timeline)
  return {
    systemIdentifier: systemid,
    timeline,
    lsn: xlogpos,
    history: timeline > 1 ? await readHistory(client, timeline) : '',
  }
}

async function readHistory(client: pg.Client, timeline: number): Promise<string> {
  const { rows } = await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`)
  return String(rows[0]?.content ?? '')
}

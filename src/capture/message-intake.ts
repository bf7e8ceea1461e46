import type { ChangeAssembler } from './change-assembler.ts'
import type { RelationMessage } from './pgoutput/message.ts'

interface MessageIntakeOptions {
  readonly assembler: ChangeAssembler
  /** Stops and goes on reading the socket; what it had read already still comes. */
  readonly stream: { pause(): void; resume(): void }
  /** Looks up what the assembler must know of a relation, and tells it. */
  readonly define: (relation: RelationMessage) => Promise<void>
  /** The assembler has taken a message in, or several. */
  readonly onTaken: () => void
  readonly onError: (error: unknown) => void
}

/**
 * Lets messages into the assembler one by one, and the socket wait: while the assembler
 * is full, and while a table's types are being looked up.
 */
export class MessageIntake {
  readonly #options: MessageIntakeOptions
  readonly #assembler: ChangeAssembler
  /** Messages behind a relation that is being looked up. */
  #deferred: Buffer[] | undefined
  #paused = false
  #stopped = false

  constructor(options: MessageIntakeOptions) {
    this.#options = options
    this.#assembler = options.assembler
  }

  /** Messages wait for a look-up. */
  get isWaiting(): boolean {
    return this.#deferred !== undefined
  }

  /** Must not throw but for the stream to end: it is called by the socket. */
  receive(message: Buffer): void {
    if (this.#stopped) return
    if (this.#deferred) {
      // The socket is paused, but what it had read already still comes.
      this.#deferred.push(Buffer.from(message))
      return
    }
    const unknown = this.#assembler.accept(message)
    if (unknown) this.#lookUp(unknown)
    else this.#taken()
  }

  /** What the assembler held is on its way to the storage. */
  makeRoom(): void {
    if (!this.#paused || this.#deferred) return
    this.#paused = false
    this.#options.stream.resume()
  }

  /** What comes from now on is thrown away. */
  stop(): void {
    this.#stopped = true
  }

  #taken(): void {
    if (this.#assembler.isFull) this.#pause()
    this.#options.onTaken()
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#options.stream.pause()
  }

  #lookUp(relation: RelationMessage): void {
    this.#deferred = []
    this.#pause()
    this.#define(relation).catch(this.#options.onError)
  }

  async #define(first: RelationMessage): Promise<void> {
    let relation: RelationMessage | null = first
    while (relation && !this.#stopped) {
      await this.#options.define(relation)
      relation = this.#drain()
    }
  }

  /** Goes on with what came meanwhile, up to the next relation that is not known. */
  #drain(): RelationMessage | null {
    const deferred = this.#deferred!
    for (let index = 0; index < deferred.length; index++) {
      const unknown = this.#assembler.accept(deferred[index]!)
      if (unknown) {
        this.#deferred = deferred.slice(index + 1)
        return unknown
      }
    }
    this.#deferred = undefined
    if (!this.#assembler.isFull) this.makeRoom()
    this.#taken()
    return null
  }
}

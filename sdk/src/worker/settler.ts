import type { Outcome } from './outcome.ts'

export interface Settlement {
  ackId: string
  outcome: Outcome
}

export interface SettlerOptions<Result> {
  /** Sends settlements; answers what became of each, in the same order. */
  settle: (settlements: readonly Settlement[]) => Promise<readonly Result[]>
  /** How long a settlement waits for others to share its request. */
  lingerMs: number
}

/** Enough to make a round trip cheap, few enough to be answered soon. */
const SETTLEMENTS_MAX = 100

interface Waiting<Result> extends Settlement {
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/** Gathers settlements into few requests. */
export class Settler<Result> {
  readonly #options: SettlerOptions<Result>
  #gathered: Waiting<Result>[] = []
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: SettlerOptions<Result>) {
    this.#options = options
  }

  /** Resolves with the server's answer; rejects if there was none. */
  add(ackId: string, outcome: Outcome): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#gathered.push({ ackId, outcome, resolve, reject })
      if (this.#gathered.length >= SETTLEMENTS_MAX) this.flush()
      else this.#timer ??= setTimeout(() => this.flush(), this.#options.lingerMs)
    })
  }

  /** Sends what has been gathered, now. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#gathered
    this.#gathered = []
    if (batch.length > 0) void this.#send(batch)
  }

  async #send(batch: readonly Waiting<Result>[]): Promise<void> {
    try {
      const results = await this.#options.settle(batch)
      for (const [index, { resolve, reject, ackId }] of batch.entries()) {
        const result = results[index]
        if (result === undefined) reject(new Error(`the server did not answer for ${ackId}`))
        else resolve(result)
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

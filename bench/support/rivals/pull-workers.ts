const EMPTY_MS = 5

/**
 * Workers that claim and ack, for systems that are asked for messages. An empty
 * queue is asked again soon: the producer is at work.
 */
export class PullWorkers<Claimed> {
  readonly #claim: (queue: string) => Promise<readonly Claimed[]>
  readonly #ack: (queue: string, claimed: readonly Claimed[]) => Promise<unknown>
  #running: Promise<void>[] = []
  #isOver = false

  constructor(
    claim: (queue: string) => Promise<readonly Claimed[]>,
    ack: (queue: string, claimed: readonly Claimed[]) => Promise<unknown>,
  ) {
    this.#claim = claim
    this.#ack = ack
  }

  start(queues: readonly string[], workers: number, onAcked: (count: number) => void): void {
    this.#running = queues.flatMap((queue) =>
      Array.from({ length: workers }, () => this.#work(queue, onAcked)),
    )
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#running)
  }

  async #work(queue: string, onAcked: (count: number) => void): Promise<void> {
    while (!this.#isOver) {
      const claimed = await this.#claim(queue)
      if (claimed.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, EMPTY_MS))
        continue
      }
      await this.#ack(queue, claimed)
      onAcked(claimed.length)
    }
  }
}

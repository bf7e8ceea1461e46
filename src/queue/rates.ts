const SECONDS = 60

/** Events per second over the last minute, in one small ring. */
export class Rate {
  readonly #counts = new Float64Array(SECONDS)
  #second = 0

  add(count: number, nowSecond: number): void {
    this.#forward(nowSecond)
    this.#counts[nowSecond % SECONDS]! += count
  }

  perSecond(nowSecond: number): number {
    this.#forward(nowSecond)
    return this.#counts.reduce((sum, count) => sum + count, 0) / SECONDS
  }

  #forward(nowSecond: number): void {
    const from = Math.max(this.#second + 1, nowSecond - SECONDS + 1)
    for (let second = from; second <= nowSecond; second += 1) this.#counts[second % SECONDS] = 0
    this.#second = Math.max(this.#second, nowSecond)
  }
}

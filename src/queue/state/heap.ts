/**
 * A binary heap: the smallest by rank comes out first. The rank is that of the moment
 * a member was pushed: one whose rank has changed since is pushed again, and the
 * caller skips the stale entry.
 */
export class Heap<T> {
  readonly #members: T[] = []
  /** Parallel to the members. */
  readonly #ranks: number[] = []
  readonly #rankOf: (member: T) => number

  constructor(rankOf: (member: T) => number) {
    this.#rankOf = rankOf
  }

  get size(): number {
    return this.#members.length
  }

  peek(): T | undefined {
    return this.#members[0]
  }

  /** Of the first one when it was pushed; Infinity: there is none. */
  get firstRank(): number {
    return this.#ranks[0] ?? Number.POSITIVE_INFINITY
  }

  push(member: T): void {
    const ranks = this.#ranks
    const rank = this.#rankOf(member)
    let index = ranks.length
    ranks.push(rank)
    this.#members.push(member)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (ranks[parent]! <= rank) break
      this.#move(parent, index)
      index = parent
    }
    this.#put(index, member, rank)
  }

  pop(): T | undefined {
    const top = this.#members[0]
    const last = this.#members.pop()
    const rank = this.#ranks.pop()
    if (this.#members.length > 0) this.#sink(last!, rank!)
    return top
  }

  #sink(member: T, rank: number): void {
    const ranks = this.#ranks
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= ranks.length) break
      if (child + 1 < ranks.length && ranks[child + 1]! < ranks[child]!) child += 1
      if (ranks[child]! >= rank) break
      this.#move(child, index)
      index = child
    }
    this.#put(index, member, rank)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#members[from]!, this.#ranks[from]!)
  }

  #put(index: number, member: T, rank: number): void {
    this.#members[index] = member
    this.#ranks[index] = rank
  }
}

/** A binary heap: the smallest by `rank` comes out first. Stale members are the caller's to skip. */
export class Heap<T> {
  readonly #members: T[] = []
  readonly #rank: (member: T) => number

  constructor(rank: (member: T) => number) {
    this.#rank = rank
  }

  get size(): number {
    return this.#members.length
  }

  peek(): T | undefined {
    return this.#members[0]
  }

  push(member: T): void {
    const members = this.#members
    let index = members.length
    members.push(member)
    const rank = this.#rank(member)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.#rank(members[parent]!) <= rank) break
      members[index] = members[parent]!
      index = parent
    }
    members[index] = member
  }

  pop(): T | undefined {
    const members = this.#members
    const top = members[0]
    const last = members.pop()
    if (members.length > 0) this.#sink(last!)
    return top
  }

  #sink(member: T): void {
    const members = this.#members
    const rank = this.#rank(member)
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= members.length) break
      if (
        child + 1 < members.length &&
        this.#rank(members[child + 1]!) < this.#rank(members[child]!)
      ) {
        child += 1
      }
      if (this.#rank(members[child]!) >= rank) break
      members[index] = members[child]!
      index = child
    }
    members[index] = member
  }
}

interface Group<Item> {
  readonly waiting: Item[]
  busy: boolean
}

/**
 * Items that wait to be handled, such that those of one key are handled one after
 * another, in the order they came, and keys do not wait for each other.
 *
 * | key       | becomes ready when                | stops being ready when |
 * | --------- | --------------------------------- | ---------------------- |
 * | not busy  | its first item comes              | taken, or left without |
 * | busy      | released while items wait         |                        |
 */
export class GroupBuffer<Item> {
  readonly #keyOf: (item: Item) => string
  readonly #groups = new Map<string, Group<Item>>()
  /** Keys that are not busy and have items, first come first served. */
  readonly #ready = new Set<string>()
  #size = 0

  constructor(keyOf: (item: Item) => string) {
    this.#keyOf = keyOf
  }

  /** How many items wait. */
  get size(): number {
    return this.#size
  }

  push(item: Item): void {
    const key = this.#keyOf(item)
    const group = this.#groups.get(key) ?? { waiting: [], busy: false }
    this.#groups.set(key, group)
    group.waiting.push(item)
    this.#size++
    if (!group.busy) this.#ready.add(key)
  }

  /** The items that `take` would give. */
  peek(max: number): Item[] {
    const items: Item[] = []
    for (const key of this.#ready) {
      if (items.length >= max) break
      items.push(...(this.#groups.get(key)?.waiting.slice(0, max - items.length) ?? []))
    }
    return items
  }

  /** Up to `max` items; their keys are busy until released. */
  take(max: number): Item[] {
    const taken: Item[] = []
    for (const key of this.#ready) {
      if (taken.length >= max) break
      const group = this.#groups.get(key)
      if (!group) continue
      group.busy = true
      this.#ready.delete(key)
      taken.push(...group.waiting.splice(0, max - taken.length))
    }
    this.#size -= taken.length
    return taken
  }

  release(key: string): void {
    const group = this.#groups.get(key)
    if (!group) return
    group.busy = false
    if (group.waiting.length > 0) this.#ready.add(key)
    else this.#groups.delete(key)
  }

  /** Takes out what waits for a key, all or up to an item, without making it busy. */
  removeKey(key: string, isEnd: (item: Item) => boolean = () => false): Item[] {
    const group = this.#groups.get(key)
    if (!group) return []
    const end = group.waiting.findIndex(isEnd)
    const removed = group.waiting.splice(0, end < 0 ? Infinity : end)
    this.#size -= removed.length
    this.#forgetIfIdle(key, group)
    return removed
  }

  removeAll(): Item[] {
    return [...this.#groups.keys()].flatMap((key) => this.removeKey(key))
  }

  removeIf(predicate: (item: Item) => boolean): Item[] {
    return [...this.#groups].flatMap(([key, group]) => {
      const removed = group.waiting.filter(predicate)
      if (removed.length === 0) return []
      const kept = group.waiting.filter((item) => !removed.includes(item))
      group.waiting.splice(0, group.waiting.length, ...kept)
      this.#size -= removed.length
      this.#forgetIfIdle(key, group)
      return removed
    })
  }

  #forgetIfIdle(key: string, group: Group<Item>): void {
    if (group.waiting.length > 0) return
    this.#ready.delete(key)
    if (!group.busy) this.#groups.delete(key)
  }
}

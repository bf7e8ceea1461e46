import { PAGE_BYTES_MAX } from './read-rows.ts'

/** How long reading a page should take. */
const TARGET_MS = 250
const GROWTH_MAX = 2
const SHRINK_MAX = 0.25

/** The size of the next page, in rows or blocks, from how the ones before went. */
export class PageSize {
  readonly #max: number
  #size: number

  constructor(start: number, max: number) {
    this.#size = start
    this.#max = max
  }

  get value(): number {
    return this.#size
  }

  /** A page of this size took so long, and held so much. */
  note(ms: number, bytes: number, isCut: boolean): void {
    const byTime = TARGET_MS / Math.max(ms, 1)
    const byBytes = isCut ? 0.5 : (PAGE_BYTES_MAX * 0.75) / Math.max(bytes, 1)
    this.#set(this.#size * Math.min(GROWTH_MAX, Math.max(SHRINK_MAX, Math.min(byTime, byBytes))))
  }

  /** It was too large for what it had to go through. */
  shrink(): void {
    this.#set(this.#size * SHRINK_MAX)
  }

  #set(size: number): void {
    this.#size = Math.min(this.#max, Math.max(1, Math.round(size)))
  }
}

import type { LogEntry } from '../../log/entry.ts'
import type { Selection } from '../selection/select-changes.ts'
import type { Feed } from './claim-messages.ts'
import type { Item } from './item.ts'
import type { QueueState } from './queue-state.ts'

/** How far ahead of the cursor newer changes of a row are looked for, in entries and in bytes. */
const LOOK_AHEAD_MAX = 10_000
const LOOK_AHEAD_BYTES_MAX = 16 * 1024 * 1024
/** Rows that are remembered at most; past it everything is looked up again. */
const ROWS_MAX = 4 * LOOK_AHEAD_MAX

const UNCHANGED = '"unchanged_columns":'

/**
 * Tells, for a consumer of the kind `rows`, which changes a newer one of the same row makes
 * needless. It knows no more than the log says, so it may be lost and made anew at any
 * time, and two processes come to the same answer.
 *
 * A change without all of its columns makes none needless; and none makes one needless that
 * gave a row another key, for nothing else would tell that the former key is gone.
 */
export class RowCollapse {
  readonly #selection: Pick<Selection, 'matches'>
  /** The newest whole change of each row between `#from` and `#to`. */
  readonly #newest = new Map<string, number>()
  readonly #waiting = new Map<string, Item>()
  #from = 0
  #to = 0
  /** The next look is due when the cursor is here; before, there was enough for the bytes it took. */
  #lookAt = 0

  constructor(selection: Pick<Selection, 'matches'>) {
    this.#selection = selection
  }

  /** How far it has looked: what lies beyond must not be delivered yet. */
  get to(): number {
    return this.#to
  }

  /** Looks ahead of the cursor; answers where the log must be loaded from first, or undefined. */
  lookAhead(state: QueueState, feed: Feed): number | undefined {
    const { cursor } = state
    if (cursor < this.#from || cursor > this.#to || this.#newest.size > ROWS_MAX) this.#reset(state)
    const { head } = feed
    if (this.#to >= head || this.#to - cursor >= LOOK_AHEAD_MAX / 2) return undefined
    if (this.#to > cursor && cursor < this.#lookAt) return undefined
    const until = Math.min(head, cursor + LOOK_AHEAD_MAX)
    let bytes = 0
    while (this.#to < until) {
      if (bytes >= LOOK_AHEAD_BYTES_MAX && this.#to > cursor) {
        this.#lookAt = cursor + Math.ceil((this.#to - cursor) / 2)
        return undefined
      }
      const found = feed.scan(this.#to + 1)
      if (!found) return this.#to + 1
      bytes += this.#note(found, until)
    }
    this.#lookAt = 0
    return undefined
  }

  /** Whether a newer change of the row will be delivered, or was. */
  isSuperseded(entry: LogEntry): boolean {
    if (entry.key === null || entry.oldKey !== null) return false
    return (this.#newest.get(rowOf(entry, entry.key)) ?? 0) > entry.seq
  }

  /** The message waits now: answers the one that waited for the same row and need not any more. */
  replaceWaiting(item: Item, entry: LogEntry, state: QueueState): Item | undefined {
    if (entry.key === null) return undefined
    if (this.#waiting.size > ROWS_MAX) this.#waiting.clear()
    const row = rowOf(entry, entry.key)
    const former = this.#waiting.get(row)
    // One that tells of another key stays, and so must what comes behind it.
    if (entry.oldKey === null) this.#waiting.set(row, item)
    else this.#waiting.delete(row)
    if (former?.state !== 'waiting' || isPartial(entry)) return undefined
    return state.setAside.get(former.seq) === former ? former : undefined
  }

  /** Messages that wait lie behind the cursor: what is newer than they are must be known. */
  #reset({ cursor, setAside }: QueueState): void {
    let from = cursor
    for (const { seq, state } of setAside.values()) {
      if (state === 'waiting' && seq < from) from = seq
    }
    this.#newest.clear()
    this.#from = Math.max(from, cursor - LOOK_AHEAD_MAX)
    this.#to = this.#from
    this.#lookAt = 0
  }

  #note(
    { entries, index, scannedTo }: NonNullable<ReturnType<Feed['scan']>>,
    until: number,
  ): number {
    let bytes = 0
    for (let at = index; at < entries.length; at += 1) {
      const entry = entries[at]!
      if (entry.seq > until) break
      bytes += entry.size
      const { key, oldKey, seq } = entry
      if (key === null || isPartial(entry) || this.#selection.matches(entry) !== true) continue
      this.#newest.set(rowOf(entry, key), seq)
      if (oldKey !== null) this.#newest.set(rowOf(entry, oldKey), seq)
    }
    this.#to = Math.max(this.#to, Math.min(scannedTo, until))
    return bytes
  }
}

function rowOf({ relation }: LogEntry, key: string): string {
  return `${relation.oid}:${key}`
}

function isPartial({ extra }: LogEntry): boolean {
  return extra !== null && extra.includes(UNCHANGED)
}

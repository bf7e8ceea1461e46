/** What became of an option that is not carried over as it is. */
export interface ImportNote {
  /** Such as `sinks.orders.transform`. */
  readonly option: string
  readonly note: string
}

export type Fields = Record<string, unknown>

/** Reads the options of one entry, and notes those that nobody has read. */
export class EntryReader {
  readonly #path: string
  readonly #fields: Fields
  readonly #notes: ImportNote[]
  readonly #read = new Set<string>()

  constructor(path: string, fields: unknown, notes: ImportNote[]) {
    this.#path = path
    this.#fields = isFields(fields) ? fields : {}
    this.#notes = notes
    if (!isFields(fields)) this.note('', 'is not an object; left out')
  }

  /** Undefined: left out, or null. */
  take(option: string): unknown {
    this.#read.add(option)
    return this.#fields[option] ?? undefined
  }

  takeText(option: string): string | undefined {
    const value = this.take(option)
    return value === undefined ? undefined : escapeText(toText(value))
  }

  /** A number, or a variable; within what Millrace takes. */
  takeNumber(option: string, min: number, max: number): number | string | undefined {
    const value = this.take(option)
    if (typeof value === 'string') return value
    if (typeof value !== 'number') return undefined
    const fit = Math.min(Math.max(Math.trunc(value), min), max)
    if (fit !== value) this.note(option, `${value} is beyond what Millrace takes; ${fit} instead`)
    return fit
  }

  takeList(option: string): unknown[] {
    const value = this.take(option)
    return Array.isArray(value) ? value : []
  }

  enter(option: string): EntryReader {
    return new EntryReader(`${this.#path}.${option}`, this.take(option) ?? {}, this.#notes)
  }

  note(option: string, note: string): void {
    this.#notes.push({ option: option === '' ? this.#path : `${this.#path}.${option}`, note })
  }

  /** Everything that is left: with its reason, or as unknown. */
  finish(reasons: Readonly<Record<string, string>> = {}): void {
    for (const option of Object.keys(this.#fields)) {
      if (this.#read.has(option) || this.#fields[option] === null) continue
      const reason = Object.hasOwn(reasons, option) ? reasons[option] : undefined
      this.note(option, reason ?? 'is not an option that is known here; not carried over')
    }
  }
}

/** Of a name or a value, which YAML may have made a number; empty for what is neither. */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Variables are written as Sequin writes them; a doubled `$` would be read as one. */
export function escapeText(text: string): string {
  return text.replaceAll('$$', '$$$$$$$$')
}

/** A name as Millrace takes it. */
export function toName(name: string): string {
  const fit = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63)
  return fit === '' ? 'unnamed' : fit
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/**
 * Walks over the members at the top level of a JSON object in text, without parsing
 * a value: a number keeps its digits because nobody reads them.
 *
 * The text is one that Millrace wrote itself or that Postgres took for JSON; what is
 * not a JSON object throws a SyntaxError, and every step moves forward.
 * One cursor serves many texts, one at a time; `text.slice(start, end)` is the JSON text.
 */
export class MemberCursor {
  /** The name with its quotes. */
  nameStart = 0
  nameEnd = 0
  valueStart = 0
  valueEnd = 0
  #text = ''
  #at = 0
  #first = true

  open(text: string): void {
    this.#text = text
    this.#first = true
    this.#at = this.#pass(this.#skipSpace(0), OPEN_BRACE)
  }

  next(): boolean {
    let at = this.#skipSpace(this.#at)
    if (this.#text.charCodeAt(at) === CLOSE_BRACE) return false
    if (!this.#first) at = this.#skipSpace(this.#pass(at, COMMA))
    this.#first = false
    this.nameStart = at
    this.nameEnd = this.#skipString(at)
    this.valueStart = this.#skipSpace(this.#pass(this.#skipSpace(this.nameEnd), COLON))
    this.valueEnd = this.#skipValue(this.valueStart)
    this.#at = this.valueEnd
    return true
  }

  /** Whether the current member is called `name`, whose usual JSON text is `quoted`. */
  isNamed(quoted: string, name: string): boolean {
    if (this.isSpelled(quoted)) return true
    // One name has many spellings only if one of them is escaped: "\u00e4" is "ä".
    const escape = this.#text.indexOf('\\', this.nameStart)
    return escape !== -1 && escape < this.nameEnd && this.readName() === name
  }

  /** Whether the current name, quotes included, is this text. */
  isSpelled(quoted: string): boolean {
    const length = this.nameEnd - this.nameStart
    return length === quoted.length && this.#text.startsWith(quoted, this.nameStart)
  }

  readName(): string {
    const inside = this.#text.slice(this.nameStart + 1, this.nameEnd - 1)
    if (!inside.includes('\\')) return inside
    return JSON.parse(this.#text.slice(this.nameStart, this.nameEnd)) as string
  }

  #pass(at: number, code: number): number {
    if (this.#text.charCodeAt(at) === code) return at + 1
    throw this.#unexpected(at)
  }

  #skipSpace(at: number): number {
    const text = this.#text
    while (at < text.length && text.charCodeAt(at) <= 0x20) at++
    return at
  }

  #skipValue(at: number): number {
    const text = this.#text
    const first = text.charCodeAt(at)
    if (first === QUOTE) return this.#skipString(at)
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return this.#skipNested(at)
    let end = at
    for (; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === COMMA || code === CLOSE_BRACE || code <= 0x20) break
    }
    if (end === at) throw this.#unexpected(at)
    return end
  }

  #skipString(at: number): number {
    const text = this.#text
    if (text.charCodeAt(at) !== QUOTE) throw this.#unexpected(at)
    let end = at
    for (;;) {
      end = text.indexOf('"', end + 1)
      if (end === -1) throw this.#unexpected(text.length)
      // A quote belongs to the string if an odd number of backslashes precedes it.
      let before = end - 1
      while (text.charCodeAt(before) === BACKSLASH) before--
      if ((end - before) % 2 === 1) return end + 1
    }
  }

  #skipNested(at: number): number {
    const text = this.#text
    let depth = 0
    while (at < text.length) {
      const code = text.charCodeAt(at)
      if (code === QUOTE) {
        at = this.#skipString(at)
        continue
      }
      at++
      if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++
      else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return at
    }
    throw this.#unexpected(at)
  }

  #unexpected(at: number): SyntaxError {
    return new SyntaxError(`Not a JSON object: unexpected text at offset ${at}.`)
  }
}

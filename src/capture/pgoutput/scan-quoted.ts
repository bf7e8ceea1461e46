import { ValueError } from './value-codec.ts'

/**
 * Reads `"…"` at a place, with backslashes before what is to be taken as it is. In slices:
 * a value of many megabytes must not become a string for every character.
 */
export function scanQuoted(text: string, start: number): { value: string; end: number } {
  if (text[start] !== '"') throw new ValueError('a quote is missing')
  let value = ''
  let from = start + 1
  let at = from
  while (at < text.length) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) return { value: value + text.slice(from, at), end: at + 1 }
    if (char === BACKSLASH) {
      value += text.slice(from, at++)
      from = at
    }
    at++
  }
  throw new ValueError('a quoted part does not end')
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

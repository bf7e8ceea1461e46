const SPACE = /[ \t\n\r]*/y
/** The plain characters are all from the space on, but the quote and the backslash. */
const STRING = /"[ !#-[\]-\uffff]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[ !#-[\]-\uffff]*)*"/y
const OTHER_SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y

/**
 * Where a text stops being JSON: the offset of the first token that cannot stand
 * there. `JSON.parse` names a position in some of its messages only.
 */
export function findJsonError(text: string): number {
  let at = 0
  const closers: ('}' | ']')[] = []
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const found = pattern.test(text)
    if (found) at = pattern.lastIndex
    return found
  }
  const take = (token: string): boolean => {
    skip(SPACE)
    if (text[at] !== token) return false
    at += 1
    return true
  }
  const takeName = (): boolean => {
    skip(SPACE)
    return skip(STRING) && take(':')
  }

  for (;;) {
    // A value is due.
    skip(SPACE)
    if (take('{')) {
      if (!take('}')) {
        closers.push('}')
        if (takeName()) continue
        return at
      }
    } else if (take('[')) {
      if (!take(']')) {
        closers.push(']')
        continue
      }
    } else if (!skip(STRING) && !skip(OTHER_SCALAR)) {
      return at
    }
    // A value has ended.
    while (closers.length > 0 && take(closers.at(-1)!)) closers.pop()
    skip(SPACE)
    if (closers.length === 0 || !take(',')) return at
    if (closers.at(-1) === '}' && !takeName()) return at
  }
}

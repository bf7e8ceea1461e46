import { RE2JS } from 're2js'

/**
 * Patterns run in time linear in the text, as CEL asks: with the engine of JavaScript
 * `(a+)+$` and forty characters of somebody's data would stop the process.
 */
const PROGRAM_SIZE_MAX = 10_000
const PATTERNS_KEPT_MAX = 500

const patterns = new Map<string, RE2JS>()

/** @throws Error with a sentence about the pattern */
export function compileRegex(pattern: string): RE2JS {
  const known = patterns.get(pattern)
  if (known) return known
  const regex = compile(pattern)
  if (regex.programSize() > PROGRAM_SIZE_MAX) throw new Error('The pattern is too large.')
  // Filters name few patterns; whoever names too many pays with compiling them again.
  if (patterns.size >= PATTERNS_KEPT_MAX) patterns.clear()
  patterns.set(pattern, regex)
  return regex
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`The pattern is not one of RE2: ${reason}.`, { cause: error })
  }
}

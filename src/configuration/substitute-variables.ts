import type { Environment } from '../config.ts'

/** A variable that has no value, or something that begins as one and is none. */
export class VariableError extends Error {
  override readonly name = 'VariableError'
}

const REFERENCE = /\$(?:\$|\{(?<inner>[^}]*)(?<end>\})?)/g
const INNER = /^(?<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?<fallback>.*))?$/s

/**
 * Puts values in the places of `${VAR}` and `${VAR:-default}`; the default also counts
 * for a variable that is empty. `$$` is a `$`; any other `$` is what it is.
 * @throws VariableError
 */
export function substituteVariables(text: string, environment: Environment): string {
  return text.replaceAll(REFERENCE, (...found) => {
    const match: string = found[0]
    if (match === '$$') return '$'
    const { inner = '', end } = found.at(-1) as { inner?: string; end?: string }
    const { name, fallback } = INNER.exec(inner)?.groups ?? {}
    if (end === undefined || name === undefined) {
      throw new VariableError(
        `"${match}" is no variable: write \${NAME} or \${NAME:-default}, and $$ for a $`,
      )
    }
    const value = environment[name]
    if (value !== undefined && (value !== '' || fallback === undefined)) return value
    if (fallback !== undefined) return fallback
    throw new VariableError(`the variable ${name} is not set; \${${name}:-…} gives a default`)
  })
}

/** Whether a text has something to be substituted. */
export function hasVariables(text: string): boolean {
  return text.search(REFERENCE) !== -1
}

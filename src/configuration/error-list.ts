import { MillraceError, type ErrorDetail } from '../errors.ts'
import { formatPointer } from '../json-pointer.ts'

/**
 * Gathers what is wrong with the entries of a configuration, so that all of it is told
 * at once, each fault with a pointer into the whole.
 */
export class ErrorList {
  readonly #errors: ErrorDetail[] = []
  #first: MillraceError | undefined

  /** Undefined if the work was refused. What is no refusal is thrown on. */
  async collect<T>(path: readonly string[], work: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      const located = locateError(error, path)
      this.#first ??= located
      this.#errors.push(...located.errors)
      return undefined
    }
  }

  add(path: readonly string[], detail: string): void {
    const pointer = formatPointer(path)
    this.#first ??= new MillraceError('validation_failed', `${pointer.slice(1)} ${detail}`)
    this.#errors.push({ pointer, detail })
  }

  /** @throws MillraceError with the code of the first fault and the list of all */
  throwIfAny(): void {
    if (!this.#first) return
    throw new MillraceError(this.#first.code, this.#first.message, {
      errors: this.#errors,
      cause: this.#first,
    })
  }
}

/** The same error, told of the part of a configuration that it came from. */
export function locateError(error: MillraceError, path: readonly string[]): MillraceError {
  const prefix = formatPointer(path)
  const errors =
    error.errors.length === 0
      ? [{ pointer: prefix, detail: error.message }]
      : error.errors.map(({ pointer, detail }) => ({ pointer: `${prefix}${pointer}`, detail }))
  return new MillraceError(error.code, `${prefix.slice(1)}: ${error.message}`, {
    errors,
    cause: error,
  })
}

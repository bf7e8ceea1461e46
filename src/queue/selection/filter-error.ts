/** Where in an expression: offset from 0 in UTF-16 units, line and column from 1. */
export interface FilterPosition {
  readonly offset: number
  readonly line: number
  readonly column: number
}

/** A filter that cannot be used: why, and where. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
  readonly position: FilterPosition

  constructor(message: string, expression: string, offset: number, options?: ErrorOptions) {
    super(message, options)
    this.position = locate(expression, offset)
  }

  /** `Line 1, column 8: …` */
  describe(): string {
    return `Line ${this.position.line}, column ${this.position.column}: ${this.message}`
  }
}

export function locate(expression: string, offset: number): FilterPosition {
  const before = expression.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return { offset, line: before.split('\n').length, column: offset - lineStart + 1 }
}

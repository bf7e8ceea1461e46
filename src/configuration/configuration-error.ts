/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface FileFault extends Partial<Place> {
  readonly message: string
}

/** What is wrong with a configuration file: a line for each fault, as compilers write them. */
export class ConfigurationFileError extends Error {
  override readonly name = 'ConfigurationFileError'
  readonly faults: readonly FileFault[]
  /** `millrace.yaml:3:5: …` */
  readonly lines: readonly string[]

  constructor(file: string, faults: readonly FileFault[], options?: ErrorOptions) {
    const lines = faults.map(({ line, column, message }) =>
      line === undefined ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`,
    )
    super(lines.join('\n'), options)
    this.faults = faults
    this.lines = lines
  }
}

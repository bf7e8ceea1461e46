/** What a command ends with; part of what scripts rely on. */
export const EXIT_CODE = {
  ok: 0,
  /** It was asked rightly and did not work. */
  failure: 1,
  /** It was asked wrongly: arguments or settings. */
  usage: 2,
  /** The server takes no token, not this one, or not for this. */
  denied: 3,
  /** There is no such consumer, source, token or change. */
  notFound: 4,
  /** The server does not answer, or not now. */
  unavailable: 5,
  /** `plan --detailed-exitcode`: there is something to apply. */
  changes: 10,
  /** A second Ctrl-C ended it before it was done. */
  interrupted: 130,
} as const

/** A failure that its message explains: shown as one line, without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT_CODE.failure, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

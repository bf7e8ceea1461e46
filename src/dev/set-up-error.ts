/** The server did not want what was asked; says why, and what mends it. */
export class SetUpError extends Error {
  override readonly name = 'SetUpError'
}

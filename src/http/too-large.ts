import { MillraceError } from '../errors.ts'

export function tooLarge(bytesMax: number): MillraceError {
  return new MillraceError(
    'body_too_large',
    `The body is larger than the ${bytesMax} bytes this call takes.`,
  )
}

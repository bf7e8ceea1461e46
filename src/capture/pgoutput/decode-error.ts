/**
 * Bytes that are not what the protocol, or the column's type, promises. Names the
 * message and the offset in it, so that a kept message can be looked at by hand.
 */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly messageType: string
  readonly offset: number

  constructor(messageType: string, offset: number, detail: string) {
    super(`pgoutput message "${messageType}", offset ${offset}: ${detail}`)
    this.messageType = messageType
    this.offset = offset
  }
}

import { isUtf8 } from 'node:buffer'

import { DecodeError } from './decode-error.ts'

/** Reads a message from front to back; whatever runs past its end is a `DecodeError`. */
export class ByteReader {
  readonly buffer: Buffer
  readonly messageType: string
  offset = 1

  /** The first byte of a message is its type. */
  constructor(buffer: Buffer) {
    this.buffer = buffer
    this.messageType = describeTag(buffer[0])
  }

  uint8(): number {
    return this.buffer[this.#take(1)]!
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.#take(2))
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.#take(4))
  }

  uint64(): bigint {
    return this.buffer.readBigUInt64BE(this.#take(8))
  }

  int64(): bigint {
    return this.buffer.readBigInt64BE(this.#take(8))
  }

  /**
   * The name of something. A database in SQL_ASCII may give it any bytes, and must not stop
   * the stream with it: where it is not UTF-8 each byte is read as a character.
   */
  name(): string {
    const end = this.buffer.indexOf(0, this.offset)
    if (end === -1) throw this.error('a name does not end')
    const encoding = isUtf8(this.buffer.subarray(this.offset, end)) ? 'utf8' : 'latin1'
    const text = this.buffer.toString(encoding, this.offset, end)
    this.offset = end + 1
    return text
  }

  utf8(length: number): string {
    const start = this.#take(length)
    return this.#utf8(start, start + length)
  }

  /** Bytes behind the last field mean that the message was not understood. */
  expectEnd(): void {
    const rest = this.buffer.length - this.offset
    if (rest !== 0) throw this.error(`${rest} bytes behind the end`)
  }

  error(detail: string): DecodeError {
    return new DecodeError(this.messageType, this.offset, detail)
  }

  #utf8(start: number, end: number): string {
    if (!isUtf8(this.buffer.subarray(start, end))) throw this.error('text is not UTF-8')
    return this.buffer.toString('utf8', start, end)
  }

  #take(length: number): number {
    const start = this.offset
    if (start + length > this.buffer.length) {
      throw this.error(`${length} bytes expected, ${this.buffer.length - start} left`)
    }
    this.offset = start + length
    return start
  }
}

/** A printable name of a message's first byte. */
function describeTag(tag: number | undefined): string {
  if (tag === undefined) return 'empty'
  return tag > 0x20 && tag < 0x7f
    ? String.fromCharCode(tag)
    : `0x${tag.toString(16).padStart(2, '0')}`
}

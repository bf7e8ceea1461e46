const CHUNK_BYTES = 256 * 1024
/** 'd' and the length in front of each chunk. */
const HEADER_BYTES = 5
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')

/**
 * Writes rows in COPY's binary format into CopyData messages that are ready for the
 * socket. Its memory is used again by the next COPY: what `finish` answers must have
 * been sent, and acknowledged, before `begin` is called again.
 */
export class CopyWriter {
  readonly #spare: Buffer[] = []
  #chunks: Buffer[] = []
  #used: Buffer[] = []
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0

  begin(): void {
    for (const chunk of this.#used) if (chunk.length === CHUNK_BYTES) this.#spare.push(chunk)
    this.#used = []
    this.#chunks = []
    this.#open(CHUNK_BYTES)
    this.#at += SIGNATURE.copy(this.#chunk, this.#at)
    // Flags, and the length of the header's extension.
    this.#chunk.fill(0, this.#at, this.#at + 8)
    this.#at += 8
  }

  /** The memory of the last COPY may still be on its way: lets go of it. */
  abandon(): void {
    this.#used = []
    this.#chunks = []
  }

  /** The whole COPY, in order. */
  finish(): readonly Buffer[] {
    this.#reserve(2)
    this.#at = this.#chunk.writeInt16BE(-1, this.#at)
    this.#close()
    return this.#chunks
  }

  /** The number of fields; `bytes` is room enough for all that are not text. */
  startRow(fields: number, bytes: number): void {
    this.#reserve(2 + bytes)
    this.#at = this.#chunk.writeInt16BE(fields, this.#at)
  }

  int32(value: number | null): void {
    if (value === null) return this.null()
    this.#at = this.#chunk.writeInt32BE(4, this.#at)
    this.#at = this.#chunk.writeInt32BE(value, this.#at)
  }

  /** A safe integer, of either sign. */
  int64(value: number): void {
    const high = Math.floor(value / 4294967296)
    this.#at = this.#chunk.writeInt32BE(8, this.#at)
    this.#at = this.#chunk.writeInt32BE(high, this.#at)
    this.#at = this.#chunk.writeUInt32BE(value - high * 4294967296, this.#at)
  }

  bigint(value: bigint): void {
    this.#at = this.#chunk.writeInt32BE(8, this.#at)
    this.#at = this.#chunk.writeBigInt64BE(value, this.#at)
  }

  char(code: number): void {
    this.#at = this.#chunk.writeInt32BE(1, this.#at)
    this.#chunk[this.#at++] = code
  }

  null(): void {
    this.#at = this.#chunk.writeInt32BE(-1, this.#at)
  }

  text(value: string | null): void {
    this.#reserve(4)
    if (value === null) return this.null()
    // Three bytes are the most that one UTF-16 unit takes; exact sizes only where it matters.
    const most = value.length * 3
    this.#reserve(4 + (most > CHUNK_BYTES / 4 ? Buffer.byteLength(value) : most))
    const written = this.#chunk.write(value, this.#at + 4, 'utf8')
    this.#chunk.writeInt32BE(written, this.#at)
    this.#at += 4 + written
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#chunk.length) return
    this.#close()
    this.#open(Math.max(CHUNK_BYTES, bytes + HEADER_BYTES))
  }

  #open(bytes: number): void {
    const spare = bytes === CHUNK_BYTES ? this.#spare.pop() : undefined
    this.#chunk = spare ?? Buffer.allocUnsafeSlow(bytes)
    this.#used.push(this.#chunk)
    this.#chunk[0] = 0x64
    this.#at = HEADER_BYTES
  }

  #close(): void {
    this.#chunk.writeInt32BE(this.#at - 1, 1)
    this.#chunks.push(this.#chunk.subarray(0, this.#at))
  }
}

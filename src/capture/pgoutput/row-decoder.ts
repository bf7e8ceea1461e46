import { isUtf8 } from 'node:buffer'

import { DecodeError } from './decode-error.ts'
import type { RowMessage } from './message.ts'
import type { RowPlan } from './row-plan.ts'
import { VALUE, ValueError } from './value-codec.ts'

const KIND = { null: 0x6e, unchanged: 0x75, text: 0x74 } as const
const TUPLE = { new: 0x4e, old: 0x4f, key: 0x4b } as const

/** Tuples up to this size become one string that values are cut from, instead of one a value. */
const ONE_STRING_MAX = 16_384
const COLUMNS_MAX = 1664
const CLOSING_BRACE = 0x7d
const NOT_ASCII = /[^\0-\x7f]/
const NEEDS_ESCAPE = /[^ !#-[\]-~]/

/** Where the values of one tuple are. Reused from row to row. */
class Tuple {
  readonly kinds = new Uint8Array(COLUMNS_MAX)
  readonly starts = new Uint32Array(COLUMNS_MAX)
  readonly lengths = new Uint32Array(COLUMNS_MAX)
  start = 0
  end = 0
  /** The tuple's bytes, one char each; null: too long for that. */
  chars: string | null = null
}

/**
 * Turns the tuples of row changes into JSON text, without an object per value. The
 * results stand in the decoder's own fields until the next row.
 */
export class RowDecoder {
  record = ''
  /** Previous values of what changed; null for inserts and deletes. */
  changes: string | null = null
  /** Inside of a JSON array; null: the table has no key. */
  key: string | null = null
  /** Null: as `key`, or not known. */
  oldKey: string | null = null
  /** Names of TOAST values that Postgres did not send, as the inside of a JSON array. */
  unchanged: string | null = null
  /** Bytes of record and changes in UTF-8; a little more where names are not ASCII. */
  size = 0

  readonly #new = new Tuple()
  readonly #old = new Tuple()
  #buffer: Buffer = Buffer.alloc(0)
  #type = ''
  #excess = 0

  /** @throws DecodeError, and then no field means anything */
  decode(kind: RowMessage['kind'], plan: RowPlan, buffer: Buffer): void {
    this.#reset(buffer)
    // Names may stand in `changes` as well; which of them do is not worth counting.
    this.#excess = kind === 'update' ? plan.excess * 2 : plan.excess
    if (kind === 'insert') this.#insert(plan)
    else if (kind === 'update') this.#update(plan)
    else this.#delete(plan)
    flatten(this.record)
    if (this.changes !== null) flatten(this.changes)
    this.size = this.record.length + (this.changes?.length ?? 0) + this.#excess
  }

  #reset(buffer: Buffer): void {
    this.#buffer = buffer
    this.#type = String.fromCharCode(buffer[0]!)
    this.changes = null
    this.key = null
    this.oldKey = null
    this.unchanged = null
  }

  #insert(plan: RowPlan): void {
    this.#expectTag(5, TUPLE.new)
    this.#expectEnd(this.#scan(this.#new, plan, 6))
    this.record = this.#toRecord(plan, this.#new, null)
    this.key = this.#toKey(plan, this.#new, null)
  }

  #update(plan: RowPlan): void {
    const tag = this.#byte(5)
    let old: Tuple | null = null
    let offset = 5
    if (tag === TUPLE.old || tag === TUPLE.key) {
      old = this.#old
      offset = this.#scan(old, plan, 6)
    }
    this.#expectTag(offset, TUPLE.new)
    this.#expectEnd(this.#scan(this.#new, plan, offset + 1))
    // A key tuple says nothing of the other columns.
    const full = tag === TUPLE.old ? old : null
    this.record = this.#toRecord(plan, this.#new, full)
    this.key = this.#toKey(plan, this.#new, full)
    this.changes = old ? this.#toChanges(plan, this.#new, old, full !== null) : '{}'
    const oldKey = old ? this.#toKey(plan, old, null) : null
    this.oldKey = oldKey === this.key ? null : oldKey
  }

  #delete(plan: RowPlan): void {
    const tag = this.#byte(5)
    if (tag !== TUPLE.old && tag !== TUPLE.key) throw this.#error(5, 'no old tuple')
    this.#expectEnd(this.#scan(this.#old, plan, 6))
    this.record =
      tag === TUPLE.old ? this.#toRecord(plan, this.#old, null) : this.#toKeyRecord(plan, this.#old)
    this.key = this.#toKey(plan, this.#old, null)
  }

  #scan(tuple: Tuple, plan: RowPlan, from: number): number {
    const buffer = this.#buffer
    const size = buffer.length
    if (from + 2 > size) throw this.#error(from, 'the tuple is cut')
    const count = (buffer[from]! << 8) | buffer[from + 1]!
    if (count !== plan.names.length) {
      throw this.#error(from, `${count} values for ${plan.names.length} columns`)
    }
    let at = from + 2
    for (let index = 0; index < count; index++) {
      const kind = buffer[at]
      tuple.kinds[index] = kind ?? 0
      if (kind === KIND.text) {
        if (at + 5 > size) throw this.#error(at, 'the tuple is cut')
        const length = buffer.readUInt32BE(at + 1)
        at += 5
        if (length > size - at) throw this.#error(at, `a value of ${length} bytes is cut`)
        tuple.starts[index] = at
        tuple.lengths[index] = length
        at += length
      } else if (kind === KIND.null || kind === KIND.unchanged) {
        at++
      } else {
        throw this.#error(at, kind === undefined ? 'the tuple is cut' : 'unknown kind of value')
      }
    }
    tuple.start = from
    tuple.end = at
    tuple.chars = at - from <= ONE_STRING_MAX ? buffer.toString('latin1', from, at) : null
    return at
  }

  /** All columns; `fallback` supplies unchanged TOAST values, else they are left out. */
  #toRecord(plan: RowPlan, tuple: Tuple, fallback: Tuple | null): string {
    const { prefixes } = plan
    const { kinds } = tuple
    let json = '{'
    for (let index = 0; index < prefixes.length; index++) {
      let from = tuple
      if (kinds[index] === KIND.unchanged) {
        if (!fallback || fallback.kinds[index] === KIND.unchanged) {
          this.#leaveOut(plan.names[index]!)
          continue
        }
        from = fallback
      }
      if (json.length > 1) json += ','
      json += prefixes[index]!
      json += from.kinds[index] === KIND.null ? 'null' : this.#toJson(plan, from, index)
    }
    return json + '}'
  }

  #toKeyRecord(plan: RowPlan, tuple: Tuple): string {
    const members = plan.keyIndexes.map(
      (index) => `${plan.prefixes[index]!}${this.#valueOrNull(plan, tuple, index)}`,
    )
    return `{${members.join(',')}}`
  }

  #toKey(plan: RowPlan, tuple: Tuple, fallback: Tuple | null): string | null {
    const { keyIndexes } = plan
    if (keyIndexes.length === 0) return null
    const excess = this.#excess
    let key = ''
    for (let at = 0; at < keyIndexes.length; at++) {
      const index = keyIndexes[at]!
      if (at > 0) key += ','
      const missing = tuple.kinds[index] === KIND.unchanged
      // A key wide enough for TOAST that was not sent is not known, and null would be a lie.
      if (missing && !fallback) return null
      key += this.#valueOrNull(plan, missing ? fallback! : tuple, index)
    }
    this.#excess = excess
    return key
  }

  #toChanges(plan: RowPlan, tuple: Tuple, old: Tuple, full: boolean): string {
    let json = ''
    const indexes = full ? plan.names.keys() : plan.keyIndexes
    for (const index of indexes) {
      if (tuple.kinds[index] === KIND.unchanged || this.#equal(tuple, old, index)) continue
      if (json !== '') json += ','
      json += plan.prefixes[index]! + this.#valueOrNull(plan, old, index)
    }
    return `{${json}}`
  }

  #equal(a: Tuple, b: Tuple, index: number): boolean {
    if (a.kinds[index] !== b.kinds[index]) return false
    if (a.kinds[index] !== KIND.text) return true
    const length = a.lengths[index]!
    if (length !== b.lengths[index]) return false
    const first = a.starts[index]!
    const second = b.starts[index]!
    return this.#buffer.compare(this.#buffer, first, first + length, second, second + length) === 0
  }

  #valueOrNull(plan: RowPlan, tuple: Tuple, index: number): string {
    return tuple.kinds[index] === KIND.text ? this.#toJson(plan, tuple, index) : 'null'
  }

  #toJson(plan: RowPlan, tuple: Tuple, index: number): string {
    const codec = plan.codecs[index]!
    const start = tuple.starts[index]!
    const end = start + tuple.lengths[index]!
    const raw =
      tuple.chars === null
        ? this.#buffer.toString('latin1', start, end)
        : tuple.chars.substring(start - tuple.start, end - tuple.start)
    if (codec.kind === VALUE.string) {
      return NEEDS_ESCAPE.test(raw) ? this.#escape(raw, start, end) : `"${raw}"`
    }
    const text = NOT_ASCII.test(raw) ? this.#utf8(start, end) : raw
    if (codec.kind === VALUE.json) return text
    try {
      return codec.encode(text)
    } catch (error) {
      // A RangeError: more text than the engine holds in one string.
      if (!(error instanceof ValueError || error instanceof RangeError)) throw error
      throw this.#error(start, `column "${plan.names[index]}": ${error.message}`)
    }
  }

  #escape(raw: string, start: number, end: number): string {
    return JSON.stringify(NOT_ASCII.test(raw) ? this.#utf8(start, end) : raw)
  }

  #utf8(start: number, end: number): string {
    // A database in SQL_ASCII may hold anything; a replacement character would be a wrong value.
    if (!isUtf8(this.#buffer.subarray(start, end))) throw this.#error(start, 'text is not UTF-8')
    const text = this.#buffer.toString('utf8', start, end)
    this.#excess += end - start - text.length
    return text
  }

  #leaveOut(name: string): void {
    const quoted = JSON.stringify(name)
    this.unchanged = this.unchanged === null ? quoted : `${this.unchanged},${quoted}`
  }

  #byte(offset: number): number {
    const byte = this.#buffer[offset]
    if (byte === undefined) throw this.#error(offset, 'the message is cut')
    return byte
  }

  #expectTag(offset: number, tag: number): void {
    if (this.#byte(offset) !== tag) throw this.#error(offset, 'no new tuple')
  }

  #expectEnd(offset: number): void {
    const rest = this.#buffer.length - offset
    if (rest !== 0) throw this.#error(offset, `${rest} bytes behind the end`)
  }

  #error(offset: number, detail: string): DecodeError {
    return new DecodeError(this.#type, offset, detail)
  }
}

/**
 * The engine keeps a text put together as a tree of its parts until somebody reads it. A
 * batch of trees is what the garbage collector would spend most of its time on.
 */
function flatten(object: string): void {
  if (object.charCodeAt(object.length - 1) !== CLOSING_BRACE) throw new Error('not an object')
}

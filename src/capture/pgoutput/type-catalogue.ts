import { arrayCodec } from './array-codec.ts'
import { BUILTIN_TYPES, type KnownType } from './builtin-types.ts'
import { compositeCodec } from './composite-codec.ts'
import { hstoreCodec } from './hstore-codec.ts'
import { stringCodec } from './value-codec.ts'

/** One row of `pg_type`, with what it refers to. */
export interface TypeRow {
  readonly oid: number
  /** As `format_type` says it. */
  readonly name: string
  /** The bare name, without schema. */
  readonly typname: string
  /** b base, c composite, d domain, e enum, r range, m multirange */
  readonly typtype: string
  /** Written with braces, as by `array_out`. */
  readonly isArray: boolean
  /** Element of an array, base of a domain; 0: neither. */
  readonly refersTo: number
  readonly delimiter: string
  /** Of a composite; of others none. */
  readonly attributes: readonly { readonly name: string; readonly typeOid: number }[]
}

/** A type that refers to itself by way of others must not hang us. */
const DEPTH_MAX = 16
/** Older changes of an altered type fit nothing that could be looked up. */
const DOUBT_EVERY_MS = 1000

/**
 * What is known of the types beyond the built-in ones, by OID. Filled from the
 * source's catalogue when a table with an unknown type appears; a type that is not
 * there (dropped since) is text.
 */
export class TypeCatalogue {
  readonly #rows = new Map<number, TypeRow>()
  readonly #known = new Map<number, KnownType>()

  #misfit = false
  #doubtedAt = -Infinity

  /** False: its row has to be looked up first. */
  has(oid: number): boolean {
    return BUILTIN_TYPES.has(oid) || this.#rows.has(oid) || this.#known.has(oid)
  }

  /** Adds looked-up rows; `asked` that are not among them do not exist, and are text. */
  add(asked: readonly number[], rows: readonly TypeRow[]): void {
    for (const row of rows) this.#rows.set(row.oid, row)
    for (const oid of asked) {
      if (!this.has(oid)) this.#known.set(oid, { name: String(oid), codec: stringCodec })
    }
  }

  /**
   * A value did not fit its composite type: somebody altered that, and Postgres does not
   * tell. All is forgotten then, to be looked up anew; but not for every such value.
   */
  takeDoubt(): boolean {
    if (!this.#misfit) return false
    this.#misfit = false
    const now = performance.now()
    if (now - this.#doubtedAt < DOUBT_EVERY_MS) return false
    this.#doubtedAt = now
    this.#rows.clear()
    this.#known.clear()
    return true
  }

  get(oid: number): KnownType {
    return this.#resolve(oid, 0)
  }

  #resolve(oid: number, depth: number): KnownType {
    const known = BUILTIN_TYPES.get(oid) ?? this.#known.get(oid)
    if (known) return known
    const row = this.#rows.get(oid)
    if (!row || depth > DEPTH_MAX) return { name: String(oid), codec: stringCodec }
    const type = { name: row.name, codec: this.#codecOf(row, depth + 1) }
    this.#known.set(oid, type)
    return type
  }

  #codecOf(row: TypeRow, depth: number) {
    if (row.typtype === 'd') return this.#resolve(row.refersTo, depth).codec
    if (row.isArray) {
      return arrayCodec(this.#resolve(row.refersTo, depth).codec, row.delimiter)
    }
    if (row.typtype === 'c') {
      return compositeCodec(
        row.attributes.map(({ name, typeOid }) => ({
          name,
          codec: this.#resolve(typeOid, depth).codec,
        })),
        () => {
          this.#misfit = true
        },
      )
    }
    if (row.typtype === 'b' && row.typname === 'hstore') return hstoreCodec
    return stringCodec
  }
}

import type { RelationMessage } from './message.ts'
import type { TypeCatalogue } from './type-catalogue.ts'
import type { ValueCodec } from './value-codec.ts'

/** Everything about a table that decoding its rows needs, worked out once. */
export interface RowPlan {
  readonly oid: number
  readonly names: readonly string[]
  /** `"name":`, ready to be joined. */
  readonly prefixes: readonly string[]
  readonly codecs: readonly ValueCodec[]
  readonly types: readonly string[]
  readonly typeOids: readonly number[]
  /** Columns of the key, ascending. */
  readonly keyIndexes: readonly number[]
  /** Bytes of the names beyond their length in UTF-16. */
  readonly excess: number
}

/**
 * `primaryKey` replaces the stream's flags where these say nothing, that is under
 * REPLICA IDENTITY FULL, which marks every column, and NOTHING; null: the flags count.
 */
export function planRows(
  relation: RelationMessage,
  catalogue: TypeCatalogue,
  primaryKey: readonly string[] | null,
): RowPlan {
  const { columns } = relation
  const types = columns.map(({ typeOid }) => catalogue.get(typeOid))
  const prefixes = columns.map(({ name }) => `${JSON.stringify(name)}:`)
  return {
    oid: relation.oid,
    names: columns.map(({ name }) => name),
    prefixes,
    codecs: types.map(({ codec }) => codec),
    types: types.map(({ name }) => name),
    typeOids: columns.map(({ typeOid }) => typeOid),
    keyIndexes: keyIndexesOf(relation, primaryKey),
    excess: prefixes.reduce((sum, text) => sum + Buffer.byteLength(text) - text.length, 0),
  }
}

function keyIndexesOf(relation: RelationMessage, primaryKey: readonly string[] | null): number[] {
  const { columns } = relation
  const indexes = [...columns.keys()]
  if (primaryKey === null) return indexes.filter((index) => columns[index]!.key)
  const found = indexes.filter((index) => primaryKey.includes(columns[index]!.name))
  // The catalogue may be newer than the stream: half a key would be a wrong one.
  return found.length === primaryKey.length ? found : []
}

import { MillraceError } from '../../errors.ts'
import type { Relation } from '../../log/entry.ts'
import type { Db } from '../../storage/database.ts'
import type { Consumer } from '../consumer.ts'
import { listRelations } from '../list-relations.ts'
import { compileSelection } from '../selection/select-changes.ts'

/** int8, int2, int4, oid, float4, float8, numeric: numbers in JSON. */
const NUMBER_OIDS = new Set([20, 21, 23, 26, 700, 701, 1700])
const NUMBER = /^-?\d+(?:\.\d+)?$/

/**
 * A primary key as the log has it, the inside of a JSON array, from what a caller wrote:
 * whether a part is a number or a text is decided by the columns of the key. So a number
 * with more digits than JSON readers keep can be given as a text.
 * @throws MillraceError `validation_failed` for a number that has lost digits already
 */
export async function resolveKey(
  db: Db,
  consumer: Consumer,
  parts: readonly (string | number | null)[],
): Promise<string> {
  const selection = compileSelection(consumer)
  const relations = (await listRelations(db, consumer.sourceNo)).filter(
    (each) => selection.selectsRelation(each) && each.keyColumns.length === parts.length,
  )
  return parts
    .map((part, index) => {
      if (typeof part === 'number' && Number.isInteger(part) && !Number.isSafeInteger(part)) {
        const detail = 'has more digits than a number keeps here; write it as a text'
        throw new MillraceError('validation_failed', `key ${detail}`, {
          errors: [{ pointer: '/key', detail }],
        })
      }
      const text = String(part)
      if (part === null || !NUMBER.test(text)) return JSON.stringify(part)
      return isNumberIn(relations, index, typeof part === 'number') ? text : JSON.stringify(text)
    })
    .join(',')
}

/** Where tables differ, or none is known, it is what it was written as. */
function isNumberIn(relations: readonly Relation[], index: number, otherwise: boolean): boolean {
  const kinds = new Set(
    relations.map(({ columns, keyColumns }) => {
      const column = columns.find(({ name }) => name === keyColumns[index])
      return NUMBER_OIDS.has(column?.typeOid ?? 0)
    }),
  )
  const [kind] = kinds
  return kinds.size === 1 && kind !== undefined ? kind : otherwise
}

import type { ErrorDetail } from '../../errors.ts'
import type { Relation, RelationColumn } from '../../log/entry.ts'
import { closestName } from '../../closest-name.ts'
import { describeUnknownColumn } from './describe-unknown-column.ts'
import { compileFilter } from './compile-filter.ts'
import { FilterError, type FilterPosition } from './filter-error.ts'
import { METADATA_MEMBERS } from './filter-input.ts'
import type {
  FilterComparison,
  FilterReference,
  FilterReferences,
  LiteralKind,
} from './filter-references.ts'

type FilterErrorDetail = ErrorDetail & { position: FilterPosition }

/**
 * Checks a filter against the shapes of the tables it will see. Besides what CEL itself
 * finds wrong: names that no table has, and comparisons that can never hold, such as a
 * number with a text; either would drop or fail every message.
 */
export function checkFilter(
  expression: string,
  selected: readonly Relation[],
): FilterErrorDetail[] {
  let references: FilterReferences
  try {
    references = compileFilter(expression).references
  } catch (error) {
    if (error instanceof FilterError) return [toDetail(error)]
    throw error
  }
  const columns = columnsByName(selected)
  const complain = (message: string, offset: number) =>
    toDetail(new FilterError(message, expression, offset))
  return [
    ...references.references.flatMap((reference) => {
      const message = findWrongName(reference, columns)
      return message === null ? [] : [complain(message, reference.offset)]
    }),
    ...references.comparisons.flatMap((comparison) => {
      const message = findWrongLiteral(comparison, columns.get(comparison.column))
      return message === null ? [] : [complain(message, comparison.offset)]
    }),
  ]
}

function toDetail(error: FilterError): FilterErrorDetail {
  return { pointer: '/filter', detail: error.describe(), position: error.position }
}

function columnsByName(relations: readonly Relation[]): Map<string, RelationColumn[]> {
  const columns = new Map<string, RelationColumn[]>()
  for (const column of relations.flatMap((relation) => relation.columns)) {
    const known = columns.get(column.name)
    if (known) known.push(column)
    else columns.set(column.name, [column])
  }
  return columns
}

function findWrongName(
  { variable, member }: FilterReference,
  columns: ReadonlyMap<string, unknown>,
): string | null {
  if (variable === 'action' || member === null) return null
  if (variable === 'metadata') {
    if ((METADATA_MEMBERS as readonly string[]).includes(member)) return null
    const closest = closestName(member, METADATA_MEMBERS)
    const hint =
      closest === undefined
        ? `There are ${METADATA_MEMBERS.join(', ')}.`
        : `Did you mean '${closest}'?`
    return `A filter cannot read metadata.${member}. ${hint}`
  }
  if (columns.size === 0 || columns.has(member)) return null
  return describeUnknownColumn(member, columns.keys())
}

type ColumnKind = 'number' | 'boolean' | 'string'

/** What a column of a built-in type is in JSON. Of other types nothing is claimed. */
const KINDS_BY_OID = new Map<number, ColumnKind>([
  [16, 'boolean'],
  // int8, int2, int4, float4, float8, numeric
  ...[20, 21, 23, 700, 701, 1700].map((oid) => [oid, 'number'] as const),
  // name, text, bpchar, varchar, date, time, timestamp, timestamptz, interval, timetz, uuid
  ...[19, 25, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 2950].map(
    (oid) => [oid, 'string'] as const,
  ),
])

function findWrongLiteral(
  { variable, column: name, literal }: FilterComparison,
  columns: readonly RelationColumn[] = [],
): string | null {
  const kinds = new Set(columns.map(({ typeOid }) => KINDS_BY_OID.get(typeOid)))
  const [kind] = kinds
  // Tables that differ in it, or a type of one's own: no verdict.
  if (kinds.size !== 1 || kind === undefined || kind === literal) return null
  const read = `${variable}.${name}`
  const type = columns[0]!.type
  return `${read} is ${type}, ${adviseLiteral(read, kind, literal)}`
}

function adviseLiteral(read: string, kind: ColumnKind, literal: LiteralKind): string {
  if (literal === 'timestamp' && kind === 'string') {
    return `a text in the message: write timestamp(${read}).`
  }
  const examples = { number: '2', boolean: 'true', string: '"text"' }
  return `a ${kind} in the message: compare it with one, such as ${examples[kind]}.`
}

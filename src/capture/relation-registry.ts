import type pg from 'pg'

import type { Relation } from '../log/entry.ts'
import type { RelationMessage } from './pgoutput/message.ts'
import type { RowPlan } from './pgoutput/row-plan.ts'

interface StoredRelation {
  relation_no: number
  relation_oid: string
  table_schema: string
  table_name: string
  columns: { name: string; type: string; type_oid: number; key: boolean }[]
  key_columns: string[]
}

/**
 * Gives each shape of a table one number, for good: the same shape after a restart
 * has the number it had before.
 */
export class RelationRegistry {
  readonly #byShape = new Map<string, Relation>()
  #nextNo = 1
  #fresh: Relation[] = []

  /** Reads the shapes that are stored. */
  static async load(pool: pg.Pool, sourceNo: number): Promise<RelationRegistry> {
    const { rows } = await pool.query<StoredRelation>(
      `select relation_no, relation_oid, table_schema, table_name, columns, key_columns
       from millrace.relation where source_no = $1 order by relation_no`,
      [sourceNo],
    )
    const registry = new RelationRegistry()
    for (const row of rows) {
      registry.#remember({
        relationNo: row.relation_no,
        oid: Number(row.relation_oid),
        schema: row.table_schema,
        table: row.table_name,
        columns: row.columns.map(({ type_oid, ...column }) => ({ ...column, typeOid: type_oid })),
        keyColumns: row.key_columns,
      })
    }
    return registry
  }

  /** The relation of that shape; a new one is stored with the first change that has it. */
  resolve(message: RelationMessage, plan: RowPlan): Relation {
    const keys = new Set(plan.keyIndexes)
    const shape = {
      oid: message.oid,
      schema: message.schema,
      table: message.table,
      columns: plan.names.map((name, index) => ({
        name,
        type: plan.types[index]!,
        typeOid: plan.typeOids[index]!,
        key: keys.has(index),
      })),
      keyColumns: plan.keyIndexes.map((index) => plan.names[index]!),
    }
    const known = this.#byShape.get(shapeKey(shape))
    if (known) return known
    const relation = { relationNo: this.#nextNo, ...shape }
    this.#remember(relation)
    this.#fresh.push(relation)
    return relation
  }

  /** Hands over what is not stored yet. */
  takeFresh(): readonly Relation[] {
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  #remember(relation: Relation): void {
    this.#byShape.set(shapeKey(relation), relation)
    this.#nextNo = Math.max(this.#nextNo, relation.relationNo + 1)
  }
}

function shapeKey({ oid, schema, table, columns }: Omit<Relation, 'relationNo'>): string {
  return JSON.stringify([
    oid,
    schema,
    table,
    columns.map(({ name, type, typeOid, key }) => [name, type, typeOid, key]),
  ])
}

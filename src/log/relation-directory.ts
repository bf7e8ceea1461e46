import type pg from 'pg'

import type { Relation } from './entry.ts'

interface RelationRow {
  relation_no: number
  relation_oid: string
  table_schema: string
  table_name: string
  columns: { name: string; type: string; type_oid: number; key: boolean }[]
  key_columns: string[]
}

/**
 * The shapes of one source's tables. A shape never changes, so what was read
 * once stays true; an unknown number means that there are new ones to read.
 */
export class RelationDirectory {
  readonly #pool: pg.Pool
  readonly #sourceNo: number
  readonly #relations = new Map<number, Relation>()
  #loading: Promise<void> | undefined

  constructor(pool: pg.Pool, sourceNo: number) {
    this.#pool = pool
    this.#sourceNo = sourceNo
  }

  get(relationNo: number): Relation | undefined {
    return this.#relations.get(relationNo)
  }

  /** Keeps the object that the reader made, so that one shape is one object here. */
  add(relation: Relation): void {
    this.#relations.set(relation.relationNo, relation)
  }

  list(): Relation[] {
    return [...this.#relations.values()]
  }

  /** Reads shapes that are not known yet. */
  refresh(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #load(): Promise<void> {
    const { rows } = await this.#pool.query<RelationRow>(
      `select relation_no, relation_oid, table_schema, table_name, columns, key_columns
       from millrace.relation where source_no = $1 and not relation_no = any ($2) order by relation_no`,
      [this.#sourceNo, [...this.#relations.keys()]],
    )
    for (const row of rows) {
      if (this.#relations.has(row.relation_no)) continue
      this.#relations.set(row.relation_no, {
        relationNo: row.relation_no,
        oid: Number(row.relation_oid),
        schema: row.table_schema,
        table: row.table_name,
        columns: row.columns.map(({ name, type, type_oid, key }) => ({
          name,
          type,
          typeOid: type_oid,
          key,
        })),
        keyColumns: row.key_columns,
      })
    }
  }
}

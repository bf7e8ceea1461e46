import { isDeepStrictEqual } from 'node:util'

import type pg from 'pg'

import { SOAK_TABLES, type SoakTable } from './tables.ts'

const PAGE_ROWS = 5_000
const DIFFERENCES_MAX = 5

type Row = Record<string, unknown>

/** A change of the log, as the replay needs it. */
interface LoggedChange {
  seq: string
  commit_lsn: string
  commit_idx: number
  action: 'i' | 'u' | 'd' | 't' | 'r'
  oid: string
  key: string | null
  old_key: string | null
  record: string
  changes: string | null
}

export interface ReplayResult {
  readonly changes: number
  readonly transactions: number
  readonly rows: number
  /** Rows that backfills have read. */
  readonly reads: number
  /** Empty: every table is as its copy, and every change was there once. */
  readonly differences: readonly string[]
  /** Changes of each transaction of the source's own, by its commit LSN. */
  readonly changesOf: ReadonlyMap<string, number>
}

/** Makes a copy of every table out of the log alone, and compares it with the table. */
export async function replay(storage: pg.Client, source: pg.Client): Promise<ReplayResult> {
  const differences: string[] = []
  const tables: TableCopy[] = []
  for (const table of SOAK_TABLES) tables.push(await openCopy(source, table))
  const copyOf = new Map(tables.map((copy) => [copy.oid, copy]))
  const changesOf = new Map<string, number>()
  const readsOf = new Map<string, number>()
  let changes = 0
  let reads = 0
  for await (const change of readChanges(storage)) {
    changes += 1
    const counted = change.action === 'r' ? readsOf : changesOf
    const before = counted.get(change.commit_lsn) ?? 0
    if (change.action === 'r') reads += 1
    if (Number(change.seq) !== changes) {
      differences.push(`change ${changes} of the log has the seq ${change.seq}`)
    }
    if (change.commit_idx !== before + 1) {
      differences.push(
        `seq ${change.seq}: change ${change.commit_idx} of its transaction follows ${before}`,
      )
    }
    counted.set(change.commit_lsn, before + 1)
    copyOf.get(change.oid)?.apply(change)
    if (differences.length > DIFFERENCES_MAX) break
  }
  let rows = 0
  for (const copy of tables) {
    rows += await copy.compare(source, differences)
  }
  return { changes, transactions: changesOf.size, rows, reads, differences, changesOf }
}

async function* readChanges(storage: pg.Client): AsyncGenerator<LoggedChange> {
  for (let after = '0'; ;) {
    const { rows } = await storage.query<LoggedChange>(
      `select seq, commit_lsn, commit_idx, action::text, r.relation_oid::text as oid, key, old_key,
         record::text, changes::text
       from millrace.log l join millrace.relation r using (source_no, relation_no)
       where source_no = (select source_no from millrace.source) and seq > $1 order by seq limit ${PAGE_ROWS}`,
      [after],
    )
    yield* rows
    if (rows.length < PAGE_ROWS) return
    after = rows.at(-1)!.seq
  }
}

interface Ddl {
  kind: 'add' | 'drop' | 'rename'
  column_name: string
  other: string | null
}

async function openCopy(source: pg.Client, table: SoakTable): Promise<TableCopy> {
  const { rows } = await source.query<{ oid: string }>('select $1::regclass::oid::text as oid', [
    `"${table.name}"`,
  ])
  const ddl = await source.query<Ddl>(
    'select kind, column_name, other from soak_ddl where table_oid = $1 order by no',
    [rows[0]!.oid],
  )
  return new TableCopy(table, rows[0]!.oid, ddl.rows)
}

/** Rows as the changes of the log leave them. */
class TableCopy {
  readonly oid: string
  readonly #table: SoakTable
  readonly #ddl: readonly Ddl[]
  readonly #rows = new Map<string, Row>()
  /** How often each row is there, of a table without a key. */
  readonly #counts = new Map<string, number>()
  readonly #problems: string[] = []

  constructor(table: SoakTable, oid: string, ddl: readonly Ddl[]) {
    this.#table = table
    this.oid = oid
    this.#ddl = ddl
  }

  apply(change: LoggedChange): void {
    if (change.action === 't') {
      this.#rows.clear()
      this.#counts.clear()
      return
    }
    const record = JSON.parse(change.record) as Row
    if (change.action === 'r') this.#verifyRead(change, record)
    else if (this.#table.keys) this.#applyKeyed(change, record)
    else this.#applyWhole(change, record)
  }

  #applyKeyed({ seq, action, key, old_key }: LoggedChange, record: Row): void {
    const before = this.#rows.get(old_key ?? key!)
    if ((before === undefined) !== (action === 'i')) {
      this.#problems.push(
        `seq ${seq}: ${action} of ${old_key ?? key}, which was ${before ? 'there' : 'not there'}`,
      )
    }
    this.#rows.delete(old_key ?? key!)
    // What an update left alone and out of line is not sent again: it is as before.
    if (action !== 'd') this.#rows.set(key!, { ...before, ...record })
  }

  /** A row is read as the changes before it have left it; those of it that the page saw are before it. */
  #verifyRead({ seq, key }: LoggedChange, record: Row): void {
    if (!this.#table.keys) {
      if (!this.#counts.has(this.#textOf(record)))
        this.#problems.push(`seq ${seq}: no such row was read`)
      return
    }
    const copy = this.#rows.get(key!)
    if (copy && this.#textOf(copy) === this.#textOf(record)) return
    const found = copy ? `is ${this.#textOf(copy)}` : 'is not there'
    this.#problems.push(`seq ${seq}: ${key} was read as ${this.#textOf(record)}, and ${found}`)
  }

  #applyWhole({ seq, action, changes }: LoggedChange, record: Row): void {
    if (action !== 'i') {
      const before =
        action === 'd' ? record : { ...record, ...(JSON.parse(changes ?? '{}') as Row) }
      const found = this.#add(before, -1)
      if (!found) this.#problems.push(`seq ${seq}: ${action} of a row that was not there`)
    }
    if (action !== 'd') this.#add(record, 1)
  }

  #add(row: Row, by: number): boolean {
    const text = this.#textOf(row)
    const count = (this.#counts.get(text) ?? 0) + by
    if (count === 0) this.#counts.delete(text)
    else this.#counts.set(text, count)
    return count >= 0
  }

  #textOf(row: Row): string {
    const members = Object.entries(this.#toPresent(row))
    return JSON.stringify(members.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** As the row would be read now: DDL since gave it columns, took some, and called others anew. */
  #toPresent(row: Row): Row {
    const present: Row = { ...row }
    for (const { kind, column_name: column, other } of this.#ddl) {
      if (kind === 'add' && !(column in present)) present[column] = JSON.parse(other!)
      if (kind === 'drop') delete present[column]
      if (kind === 'rename' && other !== null) {
        if (column in present && !(other in row)) present[other] = present[column]
        delete present[column]
      }
    }
    return present
  }

  /** Answers how many rows there are. */
  async compare(source: pg.Client, differences: string[]): Promise<number> {
    differences.push(...this.#problems.slice(0, DIFFERENCES_MAX).map((text) => this.#name(text)))
    await source.query(`set timezone = 'UTC'`)
    const { rows } = await source.query<{ row: string }>(
      `select to_json(t)::text as row from "${this.#table.name}" t`,
    )
    for (const { row } of rows) {
      const problem = this.#take(asRecorded(JSON.parse(row) as Row))
      if (problem && differences.length < DIFFERENCES_MAX) differences.push(this.#name(problem))
    }
    const left = this.#rows.size + [...this.#counts.values()].reduce((sum, n) => sum + n, 0)
    if (left !== 0) differences.push(this.#name(`${left} rows of the copy are not in the table`))
    return rows.length
  }

  #take(row: Row): string | undefined {
    const { keys } = this.#table
    if (!keys) return this.#add(row, -1) ? undefined : `not in the copy: ${JSON.stringify(row)}`
    const key = JSON.stringify(keys.map((name) => row[name])).slice(1, -1)
    const copy = this.#rows.get(key)
    this.#rows.delete(key)
    if (!copy) return `not in the copy: ${key}`
    const present = this.#toPresent(copy)
    if (isDeepStrictEqual(present, row)) return undefined
    return `row ${key} differs: ${JSON.stringify(present)} is ${JSON.stringify(row)}`
  }

  #name(text: string): string {
    return `${this.#table.name}: ${text}`
  }
}

/** docs/types.md: the one difference from `to_json` that these tables have. */
function asRecorded(row: Row): Row {
  return typeof row['at'] === 'string' ? { ...row, at: row['at'].replace('+00:00', 'Z') } : row
}

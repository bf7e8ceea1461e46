import type { Relation } from '../log/entry.ts'
import type { RelationMessage } from './pgoutput/message.ts'
import { planRows, type RowPlan } from './pgoutput/row-plan.ts'
import type { TypeCatalogue } from './pgoutput/type-catalogue.ts'
import type { RelationRegistry } from './relation-registry.ts'

const OWN_SCHEMA = 'millrace'

interface KnownTable {
  readonly plan: RowPlan
  readonly message: RelationMessage
  readonly isIgnored: boolean
  /** Numbered with its first change: many tables of a publication may never have one. */
  relation: Relation | null
}

interface KnownTablesOptions {
  readonly relations: RelationRegistry
  readonly catalogue: TypeCatalogue
  /** The source holds the storage too: its tables are not captured, whatever is published. */
  readonly ignoresOwnSchema: boolean
}

/** The tables of one stream, each as it was described last. */
export class KnownTables {
  readonly #options: KnownTablesOptions
  readonly #tables = new Map<number, KnownTable>()

  constructor(options: KnownTablesOptions) {
    this.#options = options
  }

  get(oid: number): KnownTable | undefined {
    return this.#tables.get(oid)
  }

  /** Whether the description alone is enough: no type is new, and the key is marked. */
  isClear({ replicaIdentity, columns }: RelationMessage): boolean {
    // Under FULL all columns are marked as its key, under NOTHING none.
    if (replicaIdentity === 'f' || replicaIdentity === 'n') return false
    return columns.every(({ typeOid }) => this.#options.catalogue.has(typeOid))
  }

  /** `primaryKey`: see `planRows`; asked for under REPLICA IDENTITY FULL and NOTHING only. */
  define(message: RelationMessage, primaryKey: readonly string[] | null): void {
    const { catalogue, ignoresOwnSchema } = this.#options
    this.#tables.set(message.oid, {
      plan: planRows(message, catalogue, primaryKey),
      message,
      isIgnored: ignoresOwnSchema && message.schema === OWN_SCHEMA,
      relation: null,
    })
  }

  relationOf(table: KnownTable): Relation {
    table.relation ??= this.#options.relations.resolve(table.message, table.plan)
    return table.relation
  }
}

import type { LogEntry, Relation } from '../../../src/log/entry.ts'
import {
  compileSelection,
  type Selection,
  type SelectionSettings,
} from '../../../src/queue/selection/select-changes.ts'

const OIDS: Record<string, number> = {
  boolean: 16,
  integer: 23,
  bigint: 20,
  numeric: 1700,
  text: 25,
  timestamptz: 1184,
  jsonb: 3802,
}

/** A table whose first column is its key. */
export function makeRelation(
  name: string,
  columns: Record<string, string> = { id: 'integer' },
  relationNo = 1,
): Relation {
  const [schema = '', table = ''] = name.split('.')
  return {
    relationNo,
    oid: 16_384 + relationNo,
    schema,
    table,
    columns: Object.entries(columns).map(([column, type], i) => ({
      name: column,
      type,
      typeOid: OIDS[type]!,
      key: i === 0,
    })),
    keyColumns: Object.keys(columns).slice(0, 1),
  }
}

export const orders = makeRelation('public.orders', {
  id: 'integer',
  customer_id: 'integer',
  quantity: 'integer',
  total_price: 'numeric',
  note: 'text',
  order_date: 'timestamptz',
  tags: 'jsonb',
  paid: 'boolean',
})

export function makeEntry(changed: Partial<LogEntry> = {}): LogEntry {
  return {
    seq: 1,
    commitLsn: '123456789',
    commitIdx: 1,
    committedAtUs: 1_697_380_200_127_470,
    relation: orders,
    action: 'insert',
    recipientNo: null,
    key: '1',
    oldKey: null,
    record: '{"id":1}',
    changes: null,
    extra: null,
    size: 8,
    ...changed,
  }
}

export function makeSelection(changed: Partial<SelectionSettings> = {}): Selection {
  return compileSelection({
    consumerNo: 1,
    tables: ['public.orders'],
    actions: ['insert', 'update', 'delete'],
    filter: null,
    columns: null,
    ordering: 'group',
    groupBy: null,
    ...changed,
  })
}

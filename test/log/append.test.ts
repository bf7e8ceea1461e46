import pg from 'pg'
import { describe, expect } from 'vitest'

import { LogAppender, NotTheReaderError, type Flush } from '../../src/log/append.ts'
import type { LogEntry, Relation } from '../../src/log/entry.ts'
import { ensureLogPartitions } from '../../src/log/partition.ts'
import type { Database } from '../../src/storage/database.ts'
import { test as base } from '../support/database.ts'

const RELATION: Relation = {
  relationNo: 1,
  oid: 4_000_000_000,
  schema: `sch"'ema`,
  table: 'täble',
  columns: [{ name: `it's`, type: 'integer', typeOid: 23, key: true }],
  keyColumns: [`it's`],
}

function makeEntry(seq: number, fields: Partial<LogEntry> = {}): LogEntry {
  return {
    seq,
    commitLsn: String(2n ** 62n + BigInt(seq)),
    commitIdx: 1,
    committedAtUs: 1_697_380_200_127_470,
    relation: RELATION,
    action: 'insert',
    recipientNo: null,
    key: String(seq),
    oldKey: null,
    record: `{"n":${seq}}`,
    changes: null,
    extra: null,
    size: 10,
    ...fields,
  }
}

function makeFlush(entries: LogEntry[], fields: Partial<Flush> = {}): Flush {
  return { entries, undecodable: [], relations: [], endLsn: 5n, ...fields }
}

interface Written {
  storage: Database
  sourceNo: number
  client: pg.Client
}

const test = base.extend<{ written: Written }>({
  written: async ({ storage }, use) => {
    const { rows } = await storage.pool.query<{ source_no: number }>(
      `with made as (
         insert into millrace.source (name, host, port, database, username, slot, publication)
         values ('s', 'h', 1, 'd', 'u', 's', 'p') returning source_no)
       insert into millrace.reader (source_no, epoch) select source_no, 7 from made
       returning source_no`,
    )
    const sourceNo = rows[0]!.source_no
    await ensureLogPartitions(storage.pool, sourceNo, 1)
    const client = new pg.Client(storage.url)
    await client.connect()
    await use({ storage, sourceNo, client })
    await client.end()
  },
})

async function count(storage: Database, table: string): Promise<number> {
  const { rows } = await storage.pool.query<{ n: number }>(
    `select count(*)::int as n from millrace.${table}`,
  )
  return rows[0]!.n
}

describe('a flush', () => {
  test('stores every field as it was given', async ({ written: { storage, sourceNo, client } }) => {
    const appender = new LogAppender(client, sourceNo, 7n)
    const strange = makeEntry(2, {
      action: 'update',
      commitIdx: 2_000_000_000,
      committedAtUs: -1,
      recipientNo: 3,
      key: '"ü"',
      oldKey: '"\\u0000"',
      record: '{"s":"漢字 😀\\n"}',
      changes: '{}',
      extra: '"a":1',
    })
    await appender.append(makeFlush([makeEntry(1), strange], { relations: [RELATION] }))
    const { rows } = await storage.pool.query(
      `select seq::int, commit_lsn::text, commit_idx, (extract(epoch from committed_at) * 1000000)::bigint::text as us,
         relation_no, action::text, size, recipient_no, key, old_key, record, changes, extra
       from millrace.log order by seq`,
    )
    expect(rows[0]).toEqual({
      seq: 1,
      commit_lsn: '4611686018427387905',
      commit_idx: 1,
      us: '1697380200127470',
      relation_no: 1,
      action: 'i',
      size: 10,
      recipient_no: null,
      key: '1',
      old_key: null,
      record: '{"n":1}',
      changes: null,
      extra: null,
    })
    expect(rows[1]).toMatchObject({
      action: 'u',
      commit_idx: 2_000_000_000,
      us: '-1',
      recipient_no: 3,
      key: '"ü"',
      old_key: '"\\u0000"',
      record: '{"s":"漢字 😀\\n"}',
      changes: '{}',
      extra: '"a":1',
    })
    const relation = await storage.pool.query('select * from millrace.relation')
    expect(relation.rows[0]).toMatchObject({
      relation_oid: '4000000000',
      table_schema: `sch"'ema`,
      table_name: 'täble',
      columns: [{ name: `it's`, type: 'integer', type_oid: 23, key: true }],
      key_columns: [`it's`],
    })
    const position = await storage.pool.query('select * from millrace.position')
    expect(position.rows).toMatchObject([
      { first_seq: '1', next_seq: '3', commit_idx: 2_000_000_000, end_lsn: '5' },
    ])
  })

  test('of records of any size crosses its own buffers', async ({
    written: { storage, sourceNo, client },
  }) => {
    const appender = new LogAppender(client, sourceNo, 7n)
    const sizes = [0, 1, 65_000, 87_381, 87_382, 262_100, 262_144, 3_000_000, 5]
    const entries = sizes.map((size, index) =>
      makeEntry(index + 1, { record: 'é'.repeat(size), key: 'k'.repeat(size % 70_000) }),
    )
    await appender.append(makeFlush(entries))
    // The memory of the first is used again by the second.
    await appender.append(makeFlush([makeEntry(10, { record: 'z'.repeat(600_000) })]))
    const { rows } = await storage.pool.query<{ record: string; key: string }>(
      'select record, key from millrace.log order by seq',
    )
    expect(rows.slice(0, -1)).toEqual(entries.map(({ record, key }) => ({ record, key })))
    expect(rows.at(-1)?.record).toBe('z'.repeat(600_000))
  })

  test('tells the listeners once, after the commit', async ({
    written: { storage, sourceNo, client },
  }) => {
    const listener = new pg.Client(storage.url)
    await listener.connect()
    await listener.query('listen millrace_log')
    const heard = new Promise<string | undefined>((resolve) =>
      listener.once('notification', ({ payload }) => resolve(payload)),
    )
    const appender = new LogAppender(client, sourceNo, 7n)
    await appender.append(makeFlush([makeEntry(1), makeEntry(2)]))
    expect(await heard).toBe(`${sourceNo}:2`)
    await listener.end()
  })

  test('is refused whole when another process has taken over', async ({
    written: { storage, sourceNo, client },
  }) => {
    const appender = new LogAppender(client, sourceNo, 6n)
    const flush = makeFlush([makeEntry(1)], { relations: [RELATION] })
    await expect(appender.append(flush)).rejects.toThrow(NotTheReaderError)
    await storage.pool.query('update millrace.reader set epoch = 6')
    await appender.append(flush)
    await expect(appender.append(makeFlush([makeEntry(1)]))).rejects.toThrow(/log_|position_/)
    expect(await count(storage, 'log')).toBe(1)
    expect(await count(storage, 'position')).toBe(1)
  })

  test('that fails leaves nothing, and the connection goes on', async ({
    written: { storage, sourceNo, client },
  }) => {
    const appender = new LogAppender(client, sourceNo, 7n)
    const outside = makeFlush([makeEntry(1), makeEntry(9_000_000)], { relations: [RELATION] })
    await expect(appender.append(outside)).rejects.toThrow(/no partition/)
    for (const table of ['log', 'position', 'relation']) {
      expect(await count(storage, table)).toBe(0)
    }
    await appender.append(makeFlush([makeEntry(1)], { relations: [RELATION] }))
    expect(await count(storage, 'log')).toBe(1)
  })

  test('is on disk when it is answered, whatever the role is set to', async ({
    written: { storage, sourceNo, client },
  }) => {
    await client.query(`set synchronous_commit = off;
      create table seen (level text);
      create function note() returns trigger language plpgsql as
        $$ begin insert into public.seen values (current_setting('synchronous_commit')); return new; end $$;
      create trigger note after insert on millrace.position for each row execute function note()`)
    await new LogAppender(client, sourceNo, 7n).append(makeFlush([makeEntry(1)]))
    expect((await storage.pool.query('select level from seen')).rows).toEqual([{ level: 'on' }])
    const after = await client.query('show synchronous_commit')
    expect(after.rows).toEqual([{ synchronous_commit: 'off' }])
  })

  test('keeps what could not be decoded, once', async ({
    written: { storage, sourceNo, client },
  }) => {
    const appender = new LogAppender(client, sourceNo, 7n)
    const kept = {
      commitLsn: 2n ** 62n,
      commitIdx: 3,
      relationNo: null,
      error: `it's "broken"`,
      bytes: Buffer.from([0, 255, 39]),
    }
    await appender.append(makeFlush([], { undecodable: [kept] }))
    await appender.append(makeFlush([makeEntry(1)], { undecodable: [kept] }))
    const { rows } = await storage.pool.query('select error, bytes from millrace.undecodable')
    expect(rows).toEqual([{ error: `it's "broken"`, bytes: Buffer.from([0, 255, 39]) }])
  })

  test('leaves few positions behind', async ({ written: { storage, sourceNo, client } }) => {
    const appender = new LogAppender(client, sourceNo, 7n)
    for (let seq = 1; seq <= 200; seq++) await appender.append(makeFlush([makeEntry(seq)]))
    expect(await count(storage, 'position')).toBeLessThan(90)
    const { rows } = await storage.pool.query(
      'select max(next_seq)::int as next from millrace.position',
    )
    expect(rows).toEqual([{ next: 201 }])
  })
})

import { describe, expect, test } from 'vitest'

import type { Page, PageRow } from '../../src/capture/page-window.ts'
import { PageWindow } from '../../src/capture/page-window.ts'
import { Snapshot } from '../../src/capture/snapshot.ts'

const TABLE = 7

function pageOf(keys: readonly (string | null)[], snapshot: string): Page & { ends: number[] } {
  const rows = keys.map((key): PageRow => ({ key, record: `{"id":${key}}`, size: 8, error: null }))
  const ends: number[] = []
  return {
    watermark: 'mark',
    snapshot: new Snapshot(snapshot),
    message: {
      kind: 'relation',
      oid: TABLE,
      schema: 's',
      table: 't',
      replicaIdentity: 'd',
      columns: [],
    },
    plan: {} as Page['plan'],
    recipientNo: null,
    rows,
    ends,
    settle(_kept, end) {
      ends.push(end)
      return null
    },
  }
}

/** The keys that survive, and where the next page begins; transactions below 100 are seen, 90 is not. */
function settle(
  keys: readonly (string | null)[],
  before: (window: PageWindow) => void,
  after: (window: PageWindow) => void = () => {},
): { kept: (string | null)[]; end: number | undefined } | 'refused' {
  const window = new PageWindow()
  window.open(TABLE)
  before(window)
  const page = pageOf(keys, '90:100:90')
  if (!window.hold(page)) return 'refused'
  after(window)
  const settled = window.settle('mark')
  return { kept: settled!.kept.map(({ key }) => key), end: page.ends[0] }
}

describe('a snapshot', () => {
  test('sees what was committed before it, also around the end of the transaction numbers', () => {
    const snapshot = new Snapshot('90:100:90,95')
    expect([80, 90, 91, 95, 99, 100, 101].map((xid) => snapshot.sees(xid))).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
      false,
    ])
    const later = new Snapshot(`${2n ** 32n + 2n}:${2n ** 32n + 5n}:${2n ** 32n + 3n}`)
    expect([4_294_967_290, 1, 2, 3, 4, 5].map((xid) => later.sees(xid))).toEqual([
      true,
      true,
      true,
      false,
      true,
      false,
    ])
    expect(() => new Snapshot('1:2')).toThrow('is not a snapshot')
  })
})

describe('a page', () => {
  test('loses the rows that changed behind its snapshot, whether noted before it was there or after', () => {
    const result = settle(
      ['1', '2', '3', '4'],
      (window) => {
        window.noteChange(91, '1', false)
        window.noteChange(90, '2', false)
      },
      (window) => {
        window.noteChange(101, '4', false)
        window.noteChange(102, '9', false)
      },
    )
    expect(result).toEqual({ kept: ['1', '3'], end: 4 })
  })

  test('is read again from the row on of which not all columns are known', () => {
    const after = (window: PageWindow): void => {
      window.noteChange(101, '1', false)
      window.noteChange(101, '3', true)
      window.noteChange(102, '3', false)
    }
    expect(settle(['1', '2', '3', '4'], () => {}, after)).toEqual({ kept: ['2'], end: 2 })
  })

  test('is empty when the table was emptied, and read again when nobody can tell which row changed', () => {
    expect(
      settle(
        ['1'],
        () => {},
        (window) => window.noteTruncate(101),
      ),
    ).toEqual({ kept: [], end: 1 })
    expect(
      settle(
        ['1'],
        () => {},
        (window) => window.noteTruncate(91),
      ),
    ).toEqual({ kept: ['1'], end: 1 })
    expect(
      settle(
        [null, null],
        () => {},
        (window) => window.noteChange(101, null, false),
      ),
    ).toEqual({ kept: [], end: 0 })
    expect(
      settle(
        [null],
        () => {},
        (window) => window.noteChange(91, null, false),
      ),
    ).toEqual({ kept: [null], end: 1 })
  })

  test('is refused when the table was emptied before the rows were there, for nobody can tell whether they show it', () => {
    expect(settle(['1'], (window) => window.noteTruncate(101))).toBe('refused')
  })

  test('is refused when the stream had brought what it does not show', () => {
    const window = new PageWindow()
    window.noteTransaction(90)
    for (let xid = 1000; xid < 2000; xid++) window.noteTransaction(xid)
    window.open(TABLE)
    expect(window.hold(pageOf(['1'], '90:100:90'))).toBe(false)
    expect(window.relationOid).toBe(0)

    window.open(TABLE)
    expect(window.hold(pageOf(['1'], '91:2000:91'))).toBe(true)
    // After the table was opened its changes are noted: that is enough.
    window.open(TABLE)
    window.noteTransaction(92)
    expect(window.hold(pageOf(['1'], '92:2000:92'))).toBe(true)
  })

  test('is refused when that was newer than all that had ended', () => {
    const window = new PageWindow()
    window.noteTransaction(100)
    window.open(TABLE)
    // Such a transaction is not among the running ones of a snapshot, which end before 100.
    expect(window.hold(pageOf(['1'], '100:100:'))).toBe(false)
    window.open(TABLE)
    expect(window.hold(pageOf(['1'], '100:102:100'))).toBe(false)
    window.open(TABLE)
    expect(window.hold(pageOf(['1'], '101:102:'))).toBe(true)
  })

  test('is refused after more changes than can be noted', () => {
    const many = (window: PageWindow): void => {
      for (let index = 0; index <= 200_000; index++) window.noteChange(101, String(index), false)
    }
    expect(settle(['1'], many)).toBe('refused')
  })

  test('ends at its own mark alone', async () => {
    const window = new PageWindow()
    window.open(TABLE)
    window.hold(pageOf(['1'], '90:100:'))
    const passed = window.passes('other')
    expect(window.settle('other')).toBeNull()
    await passed
    expect(window.settle('mark')?.kept).toHaveLength(1)
    expect(window.settle('mark')).toBeNull()
  })
})

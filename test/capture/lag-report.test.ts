import { randomUUID } from 'node:crypto'

import { expect } from 'vitest'

import type { ReaderReport } from '../../src/capture/capture-supervisor.ts'
import { LagReport } from '../../src/capture/lag-report.ts'
import { createReaderMetrics } from '../../src/capture/reader-metrics.ts'
import { test } from '../support/database.ts'
import { givenSource, silentLogger } from '../support/given.ts'

test('the lag is written of the sources that this process reads', async ({ storage }) => {
  const { pool } = storage
  const own = await givenSource(storage, 'own')
  const foreign = await givenSource(storage, 'foreign')
  const processId = randomUUID()
  for (const [sourceNo, reader] of [
    [own.sourceNo, processId],
    [foreign.sourceNo, randomUUID()],
  ] as const) {
    await pool.query('insert into millrace.reader (source_no, process_id) values ($1, $2)', [
      sourceNo,
      reader,
    ])
  }
  const reports = [own, foreign].map(({ sourceNo }): ReaderReport => ({
    sourceNo,
    name: '',
    state: 'healthy',
    failure: null,
    metrics: { ...createReaderMetrics(), lagBytes: 4096 },
  }))
  const report = new LagReport({ pool, logger: silentLogger, processId, reports: () => reports })

  await report.write()

  const { rows } = await pool.query(
    'select lag_bytes::int as lag from millrace.reader order by source_no',
  )
  expect(rows).toEqual([{ lag: 4096 }, { lag: null }])
})

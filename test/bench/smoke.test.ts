import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { describe, expect, inject, test } from 'vitest'

const MAIN = new URL('../../bench/main.ts', import.meta.url).pathname

/** Runs a benchmark at its tiniest, on the Postgres of the tests. */
async function runBench(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    MAIN,
    ...words,
    '--smoke',
    '--postgres',
    inject('adminUrl'),
  ])
  return stdout
}

/** The measured column, by the first. */
function readFigures(table: string): Map<string, string> {
  const rows = table.split('\n').filter((line) => line.startsWith('| '))
  return new Map(
    rows.map((row) => {
      const [, what = '', , value = ''] = row.split('|').map((cell) => cell.trim())
      return [what, value]
    }),
  )
}

describe('benchmarks', () => {
  test('pipeline runs through and prints what it measured', { timeout: 120_000 }, async () => {
    const figures = readFigures(await runBench('pipeline'))

    expect(figures.get('captured into the log')).toMatch(/^[1-9][\d,]* changes\/s$/)
    expect(figures.get('captured ÷ bare')).toMatch(/^\d+\.\d\d$/)
    for (const consumers of ['1 consumer', '3 consumers', '10 consumers']) {
      expect(figures.get(`received and acked by ${consumers}`)).toMatch(/^[1-9][\d,]* messages\/s$/)
    }
  })

  test('queue runs through with every system', { timeout: 120_000 }, async () => {
    const figures = readFigures(await runBench('queue'))

    expect(figures.get('Millrace over HTTP')).toMatch(/^[1-9][\d,]* messages\/s$/)
    for (const system of ['direct SQL', 'pg-boss', 'graphile-worker']) {
      expect(figures.get(system)).toMatch(/^[1-9][\d,]* messages\/s \(ours [\d.]+ ×\)$/)
    }
    expect(figures.get('with ÷ without')).toMatch(/^\d+\.\d\d$/)
  })

  test('console draws while messages pass', { timeout: 240_000 }, async () => {
    const figures = readFigures(await runBench('console'))

    for (const page of ['overview', 'live tail of the source', 'a consumer with its charts']) {
      expect(figures.get(page)).toMatch(/^\d+\.\d frames\/s, median [\d.]+ ms/)
    }
  })

  test('an unknown benchmark is refused with the usage', async () => {
    await expect(runBench('nothing')).rejects.toMatchObject({
      code: 2,
      stdout: expect.stringContaining('Usage: npm run bench') as string,
    })
  })
})

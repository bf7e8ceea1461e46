import { parseArgs } from 'node:util'

import { runSoak, type SoakResult } from './soak.ts'

const USAGE = `usage: npm run soak -- [DURATION] [--seed N]

  DURATION  such as 90s, 10m, 2h; 10m when left out
`

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: String(Date.now() % 1_000_000) } },
})
const [, amount, unit] = /^(\d+)([smh])$/.exec(positionals[0] ?? '10m') ?? []
const seed = Number(values.seed)
if (!amount || !unit || !Number.isSafeInteger(seed)) {
  process.stderr.write(USAGE)
  process.exit(2)
}

const startedAt = performance.now()
process.stdout.write(`seed ${seed}\n`)
const result = await runSoak({ durationMs: Number(amount) * UNIT_MS[unit]!, seed, note })
process.stdout.write(format(result))
process.exit(result.problems.length === 0 ? 0 : 1)

function note(text: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  process.stdout.write(`${seconds.padStart(8)} s  ${text}\n`)
}

function format({ writers, faults, replay, backfills, catchUpMs, problems }: SoakResult): string {
  const lines = [
    `| transactions committed | ${writers.committed} |`,
    `| rolled back | ${writers.rolledBack} |`,
    `| cut off by a fault | ${writers.unsure} |`,
    `| changes of a table's shape | ${writers.ddl} |`,
    `| truncates | ${writers.truncates} |`,
    ...[...faults].map(([name, count]) => `| ${name} | ${count} |`),
    `| transactions in the log | ${replay.transactions} |`,
    `| changes in the log | ${replay.changes} |`,
    `| backfills | ${backfills} |`,
    `| rows that they read | ${replay.reads} |`,
    `| rows compared | ${replay.rows} |`,
    `| caught up after the last fault in | ${(catchUpMs / 1000).toFixed(1)} s |`,
    `| differences | ${problems.length} |`,
    ...problems.slice(0, 20),
  ]
  return `\n| what | how often |\n| --- | --- |\n${lines.join('\n')}\n`
}

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

import { runMillrace } from '../support/run-millrace.ts'

const run = promisify(execFile)
const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

interface Block {
  code: string
  /** Says that it is for another terminal, and goes on until it is ended. */
  isEndless: boolean
}

/** The shell blocks of the README's walk-through, in their order. */
async function readWalkThrough(): Promise<Block[]> {
  const readme = await readFile(join(CHECKOUT, 'README.md'), 'utf8')
  const [, part = ''] = /<!-- walk-through[^]*?-->([^]*)<!-- \/walk-through -->/.exec(readme) ?? []
  return [...part.matchAll(/```(sh|bash)\n([^]*?)```/g)].map(([, language, code = '']) => ({
    code,
    isEndless: language === 'bash',
  }))
}

// Every `npm run` of it is a program that starts: some seconds each on a busy machine.
const README_MS_MAX = 180_000

test(
  'every command of the README works when it is pasted',
  { timeout: README_MS_MAX },
  async ({ onTestFinished }) => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-readme-'))
    await run('chmod', ['755', directory])
    const data = join(directory, 'data')
    const dev = runMillrace(['dev', '--no-demo', '--port', '0', '--data', data])
    onTestFinished(async () => {
      dev.child.kill('SIGINT')
      await dev.ended
      await rm(directory, { recursive: true, force: true })
    })
    const [, address = ''] = await dev.waitForLine(/address +(http\S+)/)
    const blocks = await readWalkThrough()
    // What follows goes on only when the endless one has begun to follow, and it must show the order.
    const endless = (code: string) => `
    export MILLRACE_URL=${address}
    : >${directory}/tail
    set -m # a group of its own, which is ended as a whole
    { ${code.trim()}; } >${directory}/tail 2>&1 & TAIL=$!
    set +m
    until grep -q following ${directory}/tail; do sleep 0.1; done`
    const script = `${blocks
      .map(
        ({ code, isEndless }, index) => `echo "== ${index}"\n${isEndless ? endless(code) : code}`,
      )
      .join('\n')}
    until grep -q '"customer_id":42' ${directory}/tail; do sleep 0.1; done
    kill -INT -- -$TAIL`
      .replaceAll('.millrace/', `${data}/`)
      .replaceAll('millrace -- sql', `millrace -- sql --data ${data}`)
      .replaceAll('http://127.0.0.1:4400', address)

    const { stdout, stderr } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', script], {
      cwd: CHECKOUT,
    })

    expect(stderr).toBe('')
    const [connected, , consumers, placed, received, acked, stats] = stdout
      .split(/== \d+\n/)
      .slice(3)
    expect(JSON.parse(connected ?? '')).toMatchObject({ name: 'shop' })
    expect(parseLines(consumers)).toMatchObject([
      { name: 'inventory' },
      { name: 'shipping' },
      { name: 'invoicing' },
    ])
    expect(placed).toBe('INSERT 1\n')
    expect(JSON.parse(received ?? '')).toMatchObject({
      data: [
        {
          record: { id: 1, customer_id: 42, total_price: 99.99 },
          action: 'insert',
          metadata: { consumer: { name: 'shipping' } },
          delivery: { attempt: 1 },
        },
      ],
    })
    expect(JSON.parse(acked ?? '')).toMatchObject({ success: true, results: [{ status: 'acked' }] })
    expect(parseLines(stats)).toMatchObject([
      { backlog: 1 },
      { backlog: 0, leased: 0 },
      { backlog: 1 },
    ])
  },
)

function parseLines(text = ''): unknown[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

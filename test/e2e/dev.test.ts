import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { afterEach, beforeEach, describe, expect, vi } from 'vitest'

import { startReceiver } from '../push/support/receiver.ts'
import { test } from '../support/database.ts'
import { runMillrace, type MillraceProcess } from '../support/run-millrace.ts'

const run = promisify(execFile)
/** How often is looked, and how long, for what another process does; in ms. */
const WAIT = { interval: 1, timeout: 120_000 }
const SERVICES = ['inventory', 'shipping', 'invoicing']

let directory: string
let data: string
const started: MillraceProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-dev-'))
  await run('chmod', ['755', directory])
  data = join(directory, 'data')
})
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGTERM')
    await ended
  }
  await rm(directory, { recursive: true, force: true })
})

function startDev(...flags: string[]): MillraceProcess {
  const dev = runMillrace(['dev', '--port', '0', '--data', data, ...flags])
  started.push(dev)
  return dev
}

/** Waits until each service has handled a new order with a number above `after`. */
async function waitForOrderAfter(dev: MillraceProcess, after: number): Promise<void> {
  await Promise.all(
    SERVICES.map((name) =>
      dev.waitForLine(new RegExp(`^${name} +order (\\d+): (?!noted)`), (id) => Number(id) > after),
    ),
  )
}

/** The newest order that any service has handled. */
function lastOrder(dev: MillraceProcess): number {
  return Math.max(...dev.lines.map((line) => Number(/^\w+ +order (\d+):/.exec(line)?.[1] ?? 0)))
}

describe('millrace dev', () => {
  test('brings orders to three services, and goes on at the next start', async () => {
    const first = startDev()
    await waitForOrderAfter(first, 0)
    await waitForOrderAfter(first, 1)
    first.child.kill('SIGINT')
    expect(await first.ended).toBe(0)

    const second = startDev()
    await waitForOrderAfter(second, lastOrder(first))
    second.child.kill('SIGINT')
    expect(await second.ended).toBe(0)

    // What was acked does not come again: the order's only other line is about its payment.
    const again = second.lines.filter((line) => /order 1:/.test(line) && !line.includes('noted'))
    expect(again).toEqual([])
    expect(second.readText()).not.toContain('warn')
  })

  test('stops while it starts, and begins anew the next time', async () => {
    const cutOff = startDev()
    await vi.waitUntil(() => existsSync(join(data, 'postgres.partial', 'PG_VERSION')), WAIT)

    cutOff.child.kill('SIGINT')

    expect(await cutOff.ended).toBe(0)
    expect(cutOff.lines.slice(-2)).toEqual([
      'stopping …',
      'stopped; the next start goes on from here',
    ])
    expect(await readdir(join(data, 'postgres'))).toEqual([])
    await waitForOrderAfter(startDev(), 0)
  })

  test('prints a line to paste that answers', async () => {
    const dev = startDev()
    await waitForOrderAfter(dev, 0)
    const [line] = await dev.waitForLine(/curl .*$/)

    const { stdout } = await run('/bin/sh', ['-c', line])

    expect(JSON.parse(stdout)).toMatchObject({ backlog: expect.any(Number), dead: 0 })
  })

  test('goes on after it was killed', async () => {
    const killed = startDev()
    await waitForOrderAfter(killed, 1)
    killed.child.kill('SIGKILL')
    await killed.ended

    const dev = startDev()

    await waitForOrderAfter(dev, lastOrder(killed))
  })

  test('is refused while another one runs on the same data', async () => {
    const dev = startDev()
    await waitForOrderAfter(dev, 0)

    const other = startDev()

    expect(await other.ended).toBe(1)
    expect(other.lines).toEqual([
      `${join(data, 'postgres')} is in use by another running Millrace; stop that first`,
    ])
    await waitForOrderAfter(dev, lastOrder(dev))
  })

  test('stops when npm, which runs it, is ended', async () => {
    const npm = spawn('npm', ['start', '--', '--no-demo', '--port', '0', '--data', data], {
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    npm.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      if (text.includes('Ctrl-C')) npm.kill('SIGTERM')
    })

    // All who hold the pipe are gone, not npm alone.
    await once(npm, 'close')

    expect(text).toContain('stopped; the next start goes on')
  })

  test('keeps its token between runs, for its owner alone', async () => {
    const first = startDev('--no-demo')
    const [, token] = await first.waitForLine(/token +(mr_\S+)/)
    first.child.kill('SIGINT')
    await first.ended
    const second = startDev('--no-demo')

    expect((await second.waitForLine(/token +(mr_\S+)/))[1]).toBe(token)
    expect(await readFile(join(data, 'token'), 'utf8')).toBe(token)
    expect((await stat(join(data, 'token'))).mode & 0o777).toBe(0o600)
    expect(second.readText()).not.toContain('order')
  })

  test('pushes orders to a webhook on this machine', async () => {
    const webhook = await startReceiver((response) => response.end())
    try {
      const dev = startDev()
      const [, address] = await dev.waitForLine(/address +(http\S+)/)
      const [, token] = await dev.waitForLine(/token +(mr_\S+)/)

      const put = await fetch(`${address}/v1/consumers/hook`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          source: 'shop',
          tables: ['public.orders'],
          mode: 'push',
          push: { url: webhook.url },
        }),
      })

      expect(put.status).toBe(201)
      await vi.waitUntil(() => webhook.requests.length > 0, WAIT)
      expect(JSON.parse(webhook.requests[0]!.body)).toMatchObject({
        metadata: { table_name: 'orders' },
      })
    } finally {
      await webhook.close()
    }
  })

  test("captures a database of the user's with --source", async ({ shop }) => {
    await shop.query('create table parcel (id int primary key)')

    const dev = startDev('--source', shop.url)
    const [, address] = await dev.waitForLine(/address +(http\S+)/)
    const [, token] = await dev.waitForLine(/token +(mr_\S+)/)

    const headers = { authorization: `Bearer ${token}` }
    const sources = await (await fetch(`${address}/v1/sources`, { headers })).json()
    expect(sources).toMatchObject({ data: [{ name: shop.name, database: shop.name }] })
  })

  test('says in a sentence why a database cannot be captured', async ({ shop }) => {
    const dev = startDev('--source', `${shop.url}_that_is_not_there`)

    expect(await dev.ended).toBe(1)
    const [what] = dev.lines.slice(-1)
    expect(what).toMatch(/was not connected: .*does not exist/)
    // Once is enough: what the answer says of the field is in its sentence already.
    expect(what?.split('does not exist')).toHaveLength(2)
  })

  test('says in a sentence why nothing can be kept where it is told to', async () => {
    await writeFile(data, 'not a directory')

    const dev = startDev()

    expect(await dev.ended).toBe(1)
    expect(dev.lines).toEqual([expect.stringMatching(/^nothing can be kept in .*data: E/)])
  })

  test.runIf(existsSync('/proc/self'))(
    'says so of a directory that takes nothing, too',
    async () => {
      const dev = startDev('--data', '/proc/millrace')

      expect(await dev.ended).toBe(1)
      expect(dev.lines).toEqual([
        expect.stringMatching(/^nothing can be kept in \/proc\/millrace: E/),
      ])
    },
  )
})

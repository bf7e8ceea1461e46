import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import pg from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { findFreePort } from '../../src/embedded/free-port.ts'
import { findLeftOverServer } from '../../src/embedded/left-over-server.ts'
import { findPostgresAccount } from '../../src/embedded/postgres-account.ts'
import { findPostgresBinaries } from '../../src/embedded/postgres-binaries.ts'
import { findPostgresPlace } from '../../src/embedded/postgres-place.ts'
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts'

const HOLDER = new URL('./postgres-holder.ts', import.meta.url).pathname
/** How often is looked, and how long, for what happens in another process; in ms. */
const WAIT = { interval: 1, timeout: 120_000 }
const isRoot = process.getuid?.() === 0

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-embedded-'))
  await chmod(directory, 0o755)
})
afterEach(() => rm(directory, { recursive: true, force: true }))

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

/** Starts a server in a process of its own, which can be killed. */
async function startInChild(data: string) {
  const child = spawn(process.execPath, [HOLDER, data], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, ...(JSON.parse(line.toString()) as { url: string; pid: number }) }
}

describe('startEmbeddedPostgres', () => {
  test('keeps its data between runs and decodes the WAL', async () => {
    const options = { directory: join(directory, 'data'), password: 'secret one' }
    const first = await startEmbeddedPostgres(options)
    await query(first.urlOf(), 'create table kept as select 42 as answer')
    await first.stop()

    const second = await startEmbeddedPostgres(options)

    expect(await query(second.urlOf(), 'select answer from kept')).toEqual([{ answer: 42 }])
    expect(await query(second.urlOf(), 'show wal_level')).toEqual([{ wal_level: 'logical' }])
    await second.stop()
    await second.stop()
  })

  test('starts again after the program that held it was killed', async () => {
    const data = join(directory, 'data')
    const killed = await startInChild(data)
    await query(killed.url, 'create table kept as select 42 as answer')
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')

    const server = await startEmbeddedPostgres({ directory: data, password: 'secret' })

    expect(server.pid).not.toBe(killed.pid)
    expect(await query(server.urlOf(), 'select answer from kept')).toEqual([{ answer: 42 }])
    await server.stop()
  })

  test('starts again after the server itself was killed', async () => {
    const data = join(directory, 'data')
    const { child, pid, url } = await startInChild(data)
    await query(url, 'create table kept as select 42 as answer')
    process.kill(pid, 'SIGKILL')
    await once(child, 'exit')

    const server = await startEmbeddedPostgres({ directory: data, password: 'secret' })

    expect(await query(server.urlOf(), 'select answer from kept')).toEqual([{ answer: 42 }])
    await server.stop()
  })

  test('starts though another process has the number in a stale pid file', async () => {
    const options = { directory: join(directory, 'data'), password: 'secret' }
    const first = await startEmbeddedPostgres(options)
    await first.stop()
    await writeFile(
      join(first.dataDirectory, 'postmaster.pid'),
      `${process.pid}\n${first.dataDirectory}\n1700000000\n5432\n`,
    )

    const second = await startEmbeddedPostgres(options)

    expect(await query(second.urlOf(), 'select 1 as one')).toEqual([{ one: 1 }])
    await second.stop()
  })

  test('is refused while another program uses the same data', async () => {
    const options = { directory: join(directory, 'data'), password: 'secret' }
    const first = await startEmbeddedPostgres(options)

    await expect(startEmbeddedPostgres(options)).rejects.toThrow('in use by another running')

    expect(await query(first.urlOf(), 'select 1 as one')).toEqual([{ one: 1 }])
    await first.stop()
  })

  test('takes another port where the preferred one is taken', async () => {
    const taken = createServer().listen(await findFreePort(), '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' && address ? address.port : 0

    const server = await startEmbeddedPostgres({
      directory: join(directory, 'data'),
      password: 'secret',
      port,
    })

    expect(server.port).not.toBe(port)
    await server.stop()
    taken.close()
  })

  test('gives up making its data when it is told to, and begins anew the next time', async () => {
    const data = join(directory, 'data')
    const stopping = new AbortController()
    const start = startEmbeddedPostgres({
      directory: data,
      password: 'secret',
      signal: stopping.signal,
    })
    const outcome = start.catch((error: unknown) => error)
    await vi.waitUntil(() => existsSync(join(`${data}.partial`, 'PG_VERSION')), WAIT)

    stopping.abort(new Error('no more of this'))

    expect(await outcome).toEqual(new Error('no more of this'))
    expect(await readdir(data)).toEqual([])
    const server = await startEmbeddedPostgres({ directory: data, password: 'secret' })
    expect(await query(server.urlOf(), 'select 1 as one')).toEqual([{ one: 1 }])
    await server.stop()
  })

  test('gives up starting when it is told to, and leaves nothing running', async () => {
    const options = { directory: join(directory, 'data'), password: 'secret' }
    const first = await startEmbeddedPostgres(options)
    await first.stop()
    const stopping = new AbortController()
    const start = startEmbeddedPostgres({ ...options, signal: stopping.signal })
    const outcome = start.catch((error: unknown) => error)
    await vi.waitUntil(() => existsSync(join(first.dataDirectory, 'postmaster.pid')), WAIT)

    stopping.abort(new Error('no more of this'))

    expect(await outcome).toEqual(new Error('no more of this'))
    expect(await findLeftOverServer(first.dataDirectory)).toBeUndefined()
  })

  test('says so where the data has another password, and leaves nothing running', async () => {
    const options = { directory: join(directory, 'data'), password: 'secret' }
    const first = await startEmbeddedPostgres(options)
    await first.stop()

    await expect(startEmbeddedPostgres({ ...options, password: 'forgotten' })).rejects.toThrow(
      'was made with another password',
    )

    expect(await findLeftOverServer(first.dataDirectory)).toBeUndefined()
  })

  test('leaves a directory alone that holds something else', async () => {
    const data = join(directory, 'data')
    await mkdir(data)
    await writeFile(join(data, 'thesis.txt'), 'years of work')

    await expect(startEmbeddedPostgres({ directory: data, password: 'secret' })).rejects.toThrow(
      'not a Postgres',
    )

    expect(await readdir(data)).toEqual(['thesis.txt'])
  })

  test('tells of a server that ends by itself', async () => {
    const crashed = Promise.withResolvers<string>()
    const server = await startEmbeddedPostgres({
      directory: join(directory, 'data'),
      password: 'secret',
      onCrash: crashed.resolve,
    })

    process.kill(server.pid, 'SIGQUIT')

    expect(await crashed.promise).toContain('immediate shutdown')
    await server.stop()
  })
})

describe.runIf(isRoot)('as root below a directory that others cannot enter', () => {
  test('keeps the data elsewhere, for the same owner only', async () => {
    await chmod(directory, 0o700)
    const options = { directory: join(directory, 'data'), password: 'first owner' }
    const first = await startEmbeddedPostgres(options)
    await query(first.urlOf(), 'create table kept as select 42 as answer')
    await first.stop()
    expect(first.dataDirectory).not.toContain(directory)

    const second = await startEmbeddedPostgres(options)
    expect(await query(second.urlOf(), 'select answer from kept')).toEqual([{ answer: 42 }])
    await second.stop()

    const other = await startEmbeddedPostgres({ ...options, password: 'second owner' })
    const tables = await query(other.urlOf(), "select to_regclass('kept')::text as found")
    expect(tables).toEqual([{ found: null }])
    await other.stop()
    await rm(dirname(first.dataDirectory), { recursive: true })
  })

  test('runs a copy of the programs', async () => {
    await chmod(directory, 0o700)
    const binaries = await findPostgresBinaries()
    const hidden = join(directory, 'native')
    await cp(binaries.directory, hidden, { recursive: true, verbatimSymlinks: true })

    const place = await findPostgresPlace(
      await findPostgresAccount(),
      { directory: hidden, label: `test-${process.pid}` },
      { directory: join(directory, 'data'), owner: 'me' },
    )

    expect(place.binDirectory).not.toContain(directory)
    await rm(dirname(place.binDirectory), { recursive: true })
    await rm(dirname(place.dataDirectory), { recursive: true })
  })
})

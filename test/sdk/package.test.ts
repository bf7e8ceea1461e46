import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)
let directory: string

async function runNode(args: string[], cwd = directory): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd })
  return stdout
}

const SERVICE = `
import { createClient, createWorker, verify, type Message } from './src/index.js'
interface Order { id: bigint; note: string | null }
const client = createClient({ baseUrl: 'http://localhost', token: async () => 't' })
export const worker = createWorker<Order>(client, {
  consumer: 'inventory',
  handle: async (message, { signal }) => {
    if (message.action === 'truncate') return
    if (message.action === 'delete') message.record.id satisfies bigint | undefined
    else message.record.id satisfies bigint
    if (message.action === 'update') message.changes?.note satisfies string | null | undefined
    // @ts-expect-error a row added has no previous values
    if (message.action === 'insert') message.changes.note
    await fetch('http://localhost', { signal })
  },
})
// @ts-expect-error one of the two handlers is needed
createWorker<Order>(client, { consumer: 'inventory' })
export const first = async (): Promise<Message<Order> | undefined> =>
  (await client.receive<Order>('inventory', { waitFor: '5s' })).data[0]
export const consumer = client.consumers.put('a', { source: 's', tables: ['*'] })
export const push = verify<Order>('', new Headers(), [])
`

const PROGRAM = `
import { createClient, NotFoundError } from '@millrace/client'
const fetch = async () => Response.json({ code: 'not_found' }, { status: 404 })
const client = createClient({ baseUrl: 'http://localhost', fetch })
try { await client.receive('a') } catch (error) { console.log(error instanceof NotFoundError) }
`

describe('the package that is published', () => {
  beforeAll(async () => {
    // Below node_modules, so that its dependency is found.
    const cache = join(root, 'node_modules/.cache')
    await mkdir(cache, { recursive: true })
    directory = await mkdtemp(join(cache, 'client-'))
    await runNode([join(root, 'sdk/build.ts'), directory], root)
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('has nothing that publint minds', async () => {
    const { messages } = await publint({ pkgDir: directory, strict: true })

    expect(messages).toEqual([])
  })

  test('has types that resolve wherever its code does', async () => {
    const attw = join(
      dirname(require.resolve('@arethetypeswrong/cli/package.json')),
      'dist/index.js',
    )

    const report = await runNode([attw, '--pack', directory, '--profile', 'esm-only'])

    expect(report).toContain('@millrace/client v0.1.0')
  })

  test('has types that fit a service and every example, in a project without those of a browser', async () => {
    const readme = await readFile(join(directory, 'README.md'), 'utf8')
    const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)
    expect(examples.length).toBeGreaterThan(5)
    const files = [SERVICE, ...examples].map(
      (code, index) => [`service-${index}.ts`, code] as const,
    )
    for (const [name, code] of files) await writeFile(join(directory, name), code)
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2022', 'esnext.disposable'],
      types: ['node'],
      noEmit: true,
      skipLibCheck: true,
    }
    const project = { compilerOptions, files: files.map(([name]) => name) }
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(project))

    const tsc = require.resolve('typescript/lib/tsc.js')
    const errors = await runNode([tsc, '-p', '.']).catch(
      (error: unknown) => (error as { stdout: string }).stdout,
    )

    expect(errors).toBe('')
  })

  test('asks nothing of Node: no module of its own, none of its globals without looking', async () => {
    const files = await readdir(join(directory, 'src'), { recursive: true })
    const code = files.filter((name) => name.endsWith('.js'))
    expect(code.length).toBeGreaterThan(20)
    for (const name of code) {
      const text = await readFile(join(directory, 'src', name), 'utf8')
      const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
        ([, path]) => path!,
      )
      const foreign = imports.filter((path) => !path.startsWith('.'))
      expect([name, foreign.filter((path) => path !== 'openapi-fetch')]).toEqual([name, []])
      // In strings and comments they do no harm.
      const bare = text.replaceAll(/\/\*.*?\*\/|\/\/.*$|'[^'\n]*'|`[^`]*`/gms, '')
      expect([name, bare.match(/(?<![.\w?])(?:Buffer|__dirname|require|setImmediate)\b/)]).toEqual([
        name,
        null,
      ])
    }
  })

  test('runs', async () => {
    await writeFile(join(directory, 'program.mjs'), PROGRAM)

    expect(await runNode(['program.mjs'])).toBe('true\n')
  })
})

import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect } from 'vitest'

import { ADMIN_TOKEN } from '../http/api.ts'
import { test as base } from '../sdk/support/server.ts'
import { runCommand } from '../support/run-cli.ts'
import { runMillrace } from '../support/run-millrace.ts'

const test = base.extend<{ home: string }>({
  home: async ({}, use) => {
    const home = await mkdtemp(join(tmpdir(), 'millrace-home-'))
    await use(home)
    await rm(home, { recursive: true, force: true })
  },
})

describe('millrace login', () => {
  test('keeps address and token for the other commands, readable by nobody else', async ({
    url,
    home,
  }) => {
    const environment = { HOME: home }
    const login = await runCommand(environment, ['login', '--url', url], {
      stdin: `${ADMIN_TOKEN}\n`,
    })

    const file = join(home, '.config/millrace/login.json')
    expect([login.code, login.errors]).toEqual([0, ''])
    expect(login.out[0]).toBe(`logged in to ${url}: kept in ${file}`)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await runCommand(environment, ['stats', '--json'])).code).toBe(0)

    const logout = await runCommand(environment, ['logout', '--json'])
    expect(logout.out).toEqual(['{"removed":true}'])
    expect((await runCommand(environment, ['logout'])).out).toEqual(['there was nothing to forget'])
    expect((await runCommand(environment, ['stats', '--url', url])).code).toBe(3)
  })

  test('honours XDG_CONFIG_HOME, and replaces a file that others could read', async ({
    url,
    home,
  }) => {
    const environment = { HOME: '/nowhere', XDG_CONFIG_HOME: home, MILLRACE_TOKEN: ADMIN_TOKEN }
    const file = join(home, 'millrace/login.json')
    await runCommand(environment, ['login', '--url', url])
    await chmod(file, 0o644)
    const refused = await runCommand({ XDG_CONFIG_HOME: home }, ['stats'])
    expect([refused.code, refused.errors]).toEqual([2, expect.stringContaining('chmod 600')])

    await runCommand(environment, ['login', '--url', url])

    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({ url, token: ADMIN_TOKEN })
    await writeFile(file, 'nonsense')
    const damaged = await runCommand({ XDG_CONFIG_HOME: home }, ['stats'])
    expect([damaged.code, damaged.errors]).toEqual([2, expect.stringContaining('is damaged')])
  })

  test('goes behind flags and environment, and takes its token to no other address', async ({
    url,
    home,
    client,
  }) => {
    const environment = { XDG_CONFIG_HOME: home }
    await runCommand(environment, ['login', '--url', url, '--token', ADMIN_TOKEN])

    const other = url.replace('127.0.0.1', 'localhost')
    expect((await runCommand(environment, ['stats', '--url', `${url}/`])).code).toBe(0)
    expect((await runCommand(environment, ['stats', '--url', other])).code).toBe(3)
    expect((await runCommand({ ...environment, MILLRACE_URL: other }, ['stats'])).code).toBe(3)
    expect((await runCommand({ ...environment, MILLRACE_TOKEN: 'wrong' }, ['stats'])).code).toBe(3)
    expect((await runCommand(environment, ['stats', '--token', 'wrong'])).code).toBe(3)

    const { token } = await client.tokens.create({ name: 'a service', scopes: ['consume'] })
    const narrow = await runCommand(environment, ['login', '--url', url, '--token', token])
    expect(narrow.code).toBe(0)
  })

  test('keeps nothing that the server does not know', async ({ url, home }) => {
    const environment = { XDG_CONFIG_HOME: home }
    const run = (...commandLine: string[]) => runCommand(environment, ['login', ...commandLine])

    const wrong = await run('--url', url, '--token', 'mr_wrong')
    expect([wrong.code, wrong.errors]).toEqual([3, `${url} does not know this token.\n`])
    expect((await run('--url', url)).code).toBe(2)
    expect((await run('--url', 'nonsense', '--token', 'x')).code).toBe(2)
    expect((await run('--url', 'http://127.0.0.1:1', '--token', 'x')).code).toBe(5)
    expect((await runCommand({}, ['login', '--url', url, '--token', ADMIN_TOKEN])).code).toBe(2)
    await expect(stat(join(home, 'millrace/login.json'))).rejects.toThrow('ENOENT')
  })

  test('reads the token from a pipe that stays open', async ({ url, home }) => {
    const run = runMillrace(['login', '--url', url], {
      environment: { XDG_CONFIG_HOME: home },
      stdin: 'pipe',
    })
    run.child.stdin!.write(`${ADMIN_TOKEN}\n`)

    expect([await run.ended, run.lines]).toEqual([0, [expect.stringContaining('logged in')]])
  })
})

import { describe, expect } from 'vitest'

import { test } from '../support/live-server.ts'
import { runCommand } from '../support/run-cli.ts'

interface Finding {
  subject: string
  checks: { name: string; status: string; detail: string; sql: string | null }[]
}

function parse(line = ''): { ok: boolean; findings: Finding[] } {
  return JSON.parse(line) as { ok: boolean; findings: Finding[] }
}

describe('millrace doctor', () => {
  test('passes what is well, and names the SQL for what is not', async ({ server, shop }) => {
    const environment = { MILLRACE_URL: server.url, MILLRACE_TOKEN: server.token }
    await shop.query('create table orders (id int primary key)')
    await server.connectShop(['public.orders'])

    const well = await runCommand(environment, ['doctor', '--json'])
    const { ok, findings } = parse(well.out[0])
    expect([well.code, well.errors, ok]).toEqual([0, '', true])
    expect(findings.map(({ subject }) => subject)).toEqual(['server', 'storage', 'source shop'])

    const { publication } = await server.client.sources.get('shop')
    await shop.query(`drop publication ${publication}`)
    const sick = await runCommand(environment, ['doctor'])
    expect([sick.code, sick.errors]).toEqual([1, 'Something is not as it must be: see above.\n'])
    const line = sick.out.findIndex((text) => text.startsWith('  FAIL  publication'))
    const remedy = sick.out[line + 1]!.trim()
    expect(remedy).toMatch(/^create publication/)

    await shop.query(remedy)
    expect((await runCommand(environment, ['doctor'])).code).toBe(0)
  })

  test('looks at the storage itself while no server runs', async ({ storage, shop }) => {
    const environment = {
      MILLRACE_URL: 'http://127.0.0.1:1',
      MILLRACE_STORAGE_URL: storage.url,
      MILLRACE_SECRET_KEY: 'there',
    }
    const { code, out } = await runCommand(environment, ['doctor', '--json'])

    const { ok, findings } = parse(out[0])
    expect([code, ok]).toEqual([1, false])
    expect(findings.map(({ subject }) => subject)).toEqual(['storage', 'server'])
    expect(findings[0]!.checks.map(({ name }) => name)).toContain('secrets')
    expect(findings[0]!.checks.every(({ status }) => status !== 'fail')).toBe(true)
    expect(findings[1]!.checks).toMatchObject([{ name: 'answers', status: 'fail' }])

    const other = await runCommand(environment, ['doctor', '--storage-url', shop.url, '--json'])
    const [theirs] = parse(other.out[0]).findings
    expect(theirs!.checks.find(({ name }) => name === 'migrations')?.status).toBe('warn')
    expect((await runCommand(environment, ['doctor', '--storage-url', 'nonsense'])).code).toBe(2)
  })
})

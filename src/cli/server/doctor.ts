import type { Client, components } from '@millrace/client'
import type { Command } from 'commander'

import { readDoctorConfig } from '../../config.ts'
import { checkStorage } from '../../storage/check-storage.ts'
import { openDatabase } from '../../storage/database.ts'
import { CommandError } from '../exit-code.ts'
import type { Terminal } from '../terminal.ts'
import { addServerCommand, isServerError } from './server-command.ts'

type Check = components['schemas']['Check']

/** What was looked at, and what was found. */
interface Finding {
  readonly subject: string
  readonly checks: readonly Check[]
}

const MARKS = { pass: ['green', 'ok  '], warn: ['yellow', 'warn'], fail: ['red', 'FAIL'] } as const

export function addDoctorCommand(program: Command, terminal: Terminal): void {
  addServerCommand<{ storageUrl?: string }>(program, terminal, {
    usage: 'doctor',
    description: 'check the storage, the server and every source; prints the SQL that mends',
    options: [
      [
        '--storage-url <url>',
        'look at the storage itself, also while no server runs (MILLRACE_STORAGE_URL)',
      ],
    ],
    examples: [
      'doctor',
      'doctor --json | jq .ok',
      'doctor --storage-url postgres://me@db.internal/millrace',
    ],
    async run({ client, show }, _args, { storageUrl }) {
      const config = readDoctorConfig(terminal.environment, storageUrl)
      const findings: Finding[] = []
      if (config.storageUrl !== undefined) {
        const checks = await checkDirectly(config.storageUrl, config.hasSecretKey)
        findings.push({ subject: 'storage', checks })
      }
      findings.push(...(await askServer(client, config.storageUrl === undefined)))
      const ok = findings.every(({ checks }) => checks.every(({ status }) => status !== 'fail'))
      show({ ok, findings }, () =>
        findings.flatMap((finding) => formatFinding(finding, terminal)).slice(0, -1),
      )
      if (!ok) throw new CommandError('Something is not as it must be: see above.')
    },
  })
}

async function checkDirectly(url: string, hasSecretKey: boolean | undefined): Promise<Check[]> {
  const database = openDatabase(url, { applicationName: 'millrace doctor', connectionsMax: 1 })
  try {
    return await checkStorage(database, hasSecretKey)
  } finally {
    await database.close()
  }
}

/** A server that does not answer is a finding, and the end of what can be asked. */
async function askServer(client: Client, withStorage: boolean): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    const { data } = await client.api.GET('/v1/storage/checks')
    findings.push({ subject: 'server', checks: [pass('answers', 'the server answers')] })
    if (withStorage) findings.push({ subject: 'storage', checks: data?.checks ?? [] })
    for await (const { name } of client.sources.listAll()) {
      findings.push({ subject: `source ${name}`, checks: await checkSource(client, name) })
    }
  } catch (error) {
    if (!isServerError(error)) throw error
    findings.push({ subject: 'server', checks: [fail('answers', error.message)] })
  }
  return findings
}

/** One that cannot be looked at does not hide the others. */
async function checkSource(client: Client, name: string): Promise<readonly Check[]> {
  try {
    return (await client.sources.checks(name)).checks
  } catch (error) {
    if (!isServerError(error)) throw error
    return [fail('checks', error.message)]
  }
}

function formatFinding({ subject, checks }: Finding, { paint }: Terminal): string[] {
  const lines = checks.flatMap(({ name, status, detail, sql }) => {
    const [color, mark] = MARKS[status]
    const remedy = status === 'pass' || sql === null ? [] : sql.split('\n')
    return [
      `  ${paint(color, mark)}  ${name.padEnd(22)} ${detail}`,
      ...remedy.map((line) => `        ${line}`),
    ]
  })
  return [paint('bold', subject), ...lines, '']
}

function pass(name: string, detail: string): Check {
  return { name, status: 'pass', detail, sql: null }
}

function fail(name: string, detail: string): Check {
  return { name, status: 'fail', detail, sql: null }
}

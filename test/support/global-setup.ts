import pg from 'pg'
import type { TestProject } from 'vitest/node'

import { openDatabase } from '../../src/storage/database.ts'
import { migrate } from '../../src/storage/migrate.ts'
import { startPostgres } from './postgres.ts'

export const TEMPLATE_NAME = 'millrace_template'

declare module 'vitest' {
  interface ProvidedContext {
    adminUrl: string
  }
}

/** One Postgres for the whole run, with a migrated template that tests clone. */
export default function setup(project: TestProject): Promise<() => Promise<void>> {
  return startTestServer(project)
}

/** As above, of another major where `packageEntry` says so. */
export async function startTestServer(
  project: TestProject,
  options: Parameters<typeof startPostgres>[0] = {},
): Promise<() => Promise<void>> {
  const postgres = await startPostgres(options)
  const admin = new pg.Client(postgres.url)
  await admin.connect()
  await admin.query(`create database ${TEMPLATE_NAME}`)
  await admin.end()

  const url = new URL(postgres.url)
  url.pathname = TEMPLATE_NAME
  const database = openDatabase(url.href)
  await migrate(database)
  await database.close()

  project.provide('adminUrl', postgres.url)
  return () => postgres.stop()
}

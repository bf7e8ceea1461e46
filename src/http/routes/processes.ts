import { z } from '@hono/zod-openapi'

import type { Db } from '../../storage/database.ts'
import { defineRoutes, reply, type Handlers } from '../route.ts'
import { timeSchema } from '../schemas/shared.ts'

/** As many as anybody runs on one storage, and more. */
const PROCESSES_MAX = 1000

const processList = z
  .object({
    data: z.array(
      z
        .object({
          id: z.uuid(),
          host: z.string(),
          pid: z.int(),
          version: z.string(),
          roles: z.array(z.string()),
          started_at: timeSchema,
          seen_at: timeSchema.meta({ description: 'Its last heartbeat; one comes every 5 s.' }),
          reads: z
            .array(z.string())
            .meta({ description: 'Names of the sources that it reads at the moment.' }),
        })
        .openapi('Process'),
    ),
  })
  .openapi('ProcessList')

export const processDefinitions = defineRoutes({
  listProcesses: {
    method: 'get',
    path: '/v1/processes',
    tag: 'Operations',
    summary: 'List the server processes on this storage',
    description: 'Those that gave a sign of life within half a minute, the oldest first.',
    access: { scope: 'read', over: 'everything' },
    answers: { 200: { description: 'The processes.', schema: processList } },
  },
})

export function createProcessHandlers(db: Db): Handlers<typeof processDefinitions> {
  return {
    async listProcesses() {
      const processes = await db
        .selectFrom('millrace.process')
        .selectAll()
        .orderBy('started_at')
        .orderBy('id')
        .limit(PROCESSES_MAX)
        .execute()
      const readers = await db
        .selectFrom('millrace.reader')
        .innerJoin('millrace.source', 'millrace.source.source_no', 'millrace.reader.source_no')
        .select(['millrace.reader.process_id', 'millrace.source.name'])
        .orderBy('millrace.source.name')
        .execute()
      return reply(200, {
        data: processes.map(({ id, host, pid, version, roles, started_at, seen_at }) => ({
          id,
          host,
          pid,
          version,
          roles,
          started_at: started_at.toISOString(),
          seen_at: seen_at.toISOString(),
          reads: readers.filter(({ process_id }) => process_id === id).map(({ name }) => name),
        })),
      })
    },
  }
}

import { expectSource } from '../../capture/source.ts'
import { previewFilter } from '../../queue/operations/preview-filter.ts'
import type { Database } from '../../storage/database.ts'
import { toListed } from '../list-entry.ts'
import { presentChange } from '../present-message.ts'
import { defineRoutes, type Handlers } from '../route.ts'
import { previewRequest, previewResponse } from '../schemas/preview.ts'

export const previewDefinitions = defineRoutes({
  previewFilter: {
    method: 'post',
    path: '/v1/sources/{source}/filter/preview',
    tag: 'Looking',
    summary: 'Try a filter on the newest changes',
    description:
      'What a consumer with this selection would get, and what not. Changes nothing. What is wrong with the selection is an answer here, not a refusal.',
    access: { scope: 'read', over: 'everything' },
    body: {
      schema: previewRequest,
      examples: { large: { tables: ['public.orders'], filter: 'record.total_price > 100.0' } },
    },
    answers: { 200: { description: 'What was found.', schema: previewResponse } },
  },
})

export function createPreviewHandlers(database: Database): Handlers<typeof previewDefinitions> {
  return {
    async previewFilter({ param, body }) {
      const { sourceNo } = await expectSource(database.db, param('source'))
      const { errors, entries } = await previewFilter(database, sourceNo, body)
      const count = (outcome: string): number =>
        entries.filter(({ preview }) => preview.outcome === outcome).length
      const head = JSON.stringify({
        errors,
        passes: count('passes'),
        filtered: count('filtered'),
        fails: count('fails'),
      })
      const data = entries.map(({ entry, preview }) => {
        const reason = 'reason' in preview ? preview.reason : null
        const verdict = JSON.stringify({ outcome: preview.outcome, reason })
        return `${presentChange(toListed(entry))},${verdict.slice(1)}`
      })
      return { status: 200, body: `${head.slice(0, -1)},"data":[${data.join(',')}]}` }
    },
  }
}

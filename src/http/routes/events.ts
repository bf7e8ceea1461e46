import { defineRoutes, type Handlers } from '../route.ts'
import type { OverviewStream } from '../overview-stream.ts'

/** The console's live updates: for browsers' EventSource, and no part of the documented API. */
export const eventDefinitions = defineRoutes({
  streamEvents: {
    method: 'get',
    path: '/v1/events',
    tag: 'Console',
    summary: 'Watch all consumers and sources',
    access: { scope: 'read', over: 'consumers' },
    answers: { 200: { description: 'Server-sent events.', contentType: 'text/event-stream' } },
  },
})

export function createEventHandlers(overview: OverviewStream): Handlers<typeof eventDefinitions> {
  return {
    streamEvents: ({ principal }) => ({
      status: 200,
      body: overview.open(principal!),
      contentType: 'text/event-stream',
      // Proxies that gather answers before passing them on would hold these back for ever.
      headers: { 'x-accel-buffering': 'no' },
    }),
  }
}

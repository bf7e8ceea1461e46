import type { RouteDefinitions } from './route.ts'
import { backfillDefinitions } from './routes/backfills.ts'
import { configurationDefinitions } from './routes/configuration.ts'
import { consumerDefinitions } from './routes/consumers.ts'
import { messageDefinitions } from './routes/messages.ts'
import { movementDefinitions } from './routes/movements.ts'
import { operationDefinitions } from './routes/operations.ts'
import { previewDefinitions } from './routes/preview.ts'
import { processDefinitions } from './routes/processes.ts'
import { pushDefinitions } from './routes/push.ts'
import { queueDefinitions } from './routes/queue.ts'
import { sequinDefinitions } from './routes/sequin.ts'
import { sourceDefinitions } from './routes/sources.ts'
import { tokenDefinitions } from './routes/tokens.ts'

/** All calls of the API, by operation id. */
export const allDefinitions = {
  ...queueDefinitions,
  ...consumerDefinitions,
  ...pushDefinitions,
  ...movementDefinitions,
  ...backfillDefinitions,
  ...messageDefinitions,
  ...previewDefinitions,
  ...sourceDefinitions,
  ...tokenDefinitions,
  ...configurationDefinitions,
  ...operationDefinitions,
  ...processDefinitions,
  ...sequinDefinitions,
} satisfies RouteDefinitions

import { z } from '@hono/zod-openapi'

import { pushSchema } from '../../queue/consumer-settings.ts'
import { timeSchema } from './shared.ts'

export const rotateSecretResponse = z
  .object({
    push_secret: z.string().meta({ description: 'The new secret; shown once.' }),
    previous_expires_at: timeSchema.meta({
      description: 'Until then requests are signed with the previous secret as well.',
    }),
  })
  .openapi('RotateSecretResponse')

/** Where a request failed; `src/push/push-failure.ts` has the same kinds. */
const failureKind = z.enum([
  'blocked',
  'dns',
  'connect',
  'tls',
  'timeout',
  'closed',
  'protocol',
  'aborted',
  'status',
])

export const webhookTestRequest = z.strictObject({ push: pushSchema }).openapi('WebhookTestRequest')

export const pushTestResponse = z
  .object({
    success: z.boolean().meta({ description: 'The endpoint took the sample: a 2xx.' }),
    status: z.int().nullable().meta({ description: 'Null: no complete answer came.' }),
    latency_ms: z
      .int()
      .meta({ description: 'With look-up and connecting, which a kept connection spares.' }),
    answer: z
      .string()
      .nullable()
      .meta({ description: 'The beginning of the answer’s body, at most 2 KB; null: none.' }),
    failure: z
      .object({
        kind: failureKind.meta({
          description:
            '`blocked`: the address is refused. `dns`, `connect`, `tls`: no connection. `timeout`, `closed`, `protocol`: no complete answer, in time or at all. `status`: an answer that is no 2xx.',
        }),
        message: z.string(),
      })
      .nullable()
      .meta({ description: 'What went wrong; null: nothing.' }),
  })
  .openapi('PushTestResponse')

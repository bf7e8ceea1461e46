import type { z } from '@hono/zod-openapi'

import { createNotFound, MillraceError } from '../../errors.ts'
import type { AddressGuard } from '../../push/address-guard.ts'
import type { EnvelopeSource } from '../../log/envelope.ts'
import { openSecrets } from '../../push/open-push-consumer.ts'
import { createPushSecrets } from '../../push/push-secrets.ts'
import { sendTest, type PushTestResult } from '../../push/send-test.ts'
import { fillPush, findStoredConsumer, resealPush } from '../../queue/consumer-store.ts'
import type { Db } from '../../storage/database.ts'
import { PushKeeper } from '../push-keeper.ts'
import { defineRoutes, reply, type Handlers } from '../route.ts'
import { pushTestResponse, rotateSecretResponse, webhookTestRequest } from '../schemas/push.ts'

const one = '/v1/consumers/{consumer}/push'
const tag = 'Consumers'
const admin = { scope: 'admin', over: 'consumer' } as const

export const pushDefinitions = defineRoutes({
  testPush: {
    method: 'post',
    path: `${one}/test`,
    tag,
    summary: 'Send a sample to the webhook',
    description:
      'One signed request with a made-up message (`metadata.test` is true), which no queue knows of; ends within 25 seconds. Answers 200 whatever the endpoint does: `success` says.',
    access: admin,
    answers: { 200: { description: 'What became of it.', schema: pushTestResponse } },
    refusals: [409],
  },
  testWebhook: {
    method: 'post',
    path: '/v1/push/test',
    tag,
    summary: 'Send a sample to a webhook that no consumer has yet',
    description:
      'As `testPush`, before anything is created. It is signed with a secret made up for it: an endpoint that verifies refuses it, which shows that it is reached.',
    access: { scope: 'admin', over: 'consumers' },
    body: {
      schema: webhookTestRequest,
      examples: { shipping: { push: { url: 'https://shipping.example.com/hooks/orders' } } },
    },
    answers: { 200: { description: 'What became of it.', schema: pushTestResponse } },
  },
  rotatePushSecret: {
    method: 'post',
    path: `${one}/rotate_secret`,
    tag,
    summary: 'Make a new signing secret for the webhook',
    description: 'For 24 hours requests are signed with the old one as well.',
    access: admin,
    answers: { 200: { description: 'The new secret.', schema: rotateSecretResponse } },
    refusals: [409],
  },
})

interface PushDeps {
  db: Db
  secretKey: Buffer | undefined
  /** Which addresses the sample may go to: the same as messages. */
  pushGuard: AddressGuard
  userAgent: string
}

export function createPushHandlers(deps: PushDeps): Handlers<typeof pushDefinitions> {
  const { db, secretKey, pushGuard, userAgent } = deps
  return {
    async testPush({ param }) {
      const reference = param('consumer')
      const consumer = await findStoredConsumer(db, reference)
      if (!consumer) throw createNotFound('consumer', reference)
      const { push, pushSealed, name } = consumer
      if (!push) throw new MillraceError('conflict', `The consumer "${name}" has no webhook.`)
      const secrets = openSecrets(consumer, pushSealed, secretKey)
      const source = await readSource(db, consumer.sourceNo)
      const guard = pushGuard
      const result = await sendTest(consumer, push, { source, secrets, guard, userAgent })
      return reply(200, presentResult(result))
    },
    async testWebhook({ body: { push } }) {
      const result = await sendTest(TO_BE_CREATED, fillPush(push), {
        source: { id: NIL_UUID, name: 'test' },
        secrets: createPushSecrets(push.headers),
        guard: pushGuard,
        userAgent,
      })
      return reply(200, presentResult(result))
    },
    async rotatePushSecret({ param }) {
      const reference = param('consumer')
      const keeper = new PushKeeper(secretKey)
      const rotated = await resealPush(db, reference, (before) => keeper.rotate(before))
      if (!rotated) throw createNotFound('consumer', reference)
      return reply(200, keeper.presentRotation())
    },
  }
}

const NIL_UUID = '00000000-0000-0000-0000-000000000000'
const TO_BE_CREATED = { id: NIL_UUID, name: 'test', tables: [], annotations: {} }

function presentResult({ latencyMs, ...rest }: PushTestResult): z.input<typeof pushTestResponse> {
  return { ...rest, latency_ms: latencyMs }
}

function readSource(db: Db, sourceNo: number): Promise<EnvelopeSource> {
  return db
    .selectFrom('millrace.source')
    .select(['id', 'name'])
    .where('source_no', '=', sourceNo)
    .executeTakeFirstOrThrow()
}

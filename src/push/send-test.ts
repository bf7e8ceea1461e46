import { randomUUID } from 'node:crypto'

import type { EnvelopeSource } from '../log/envelope.ts'
import type { Consumer } from '../queue/consumer.ts'
import type { PushConfig } from '../storage/schema-types.ts'
import { EndpointClient, type PushAnswer } from './endpoint-client.ts'
import type { GuardOptions } from './guarded-connect.ts'
import { describeAnswer } from './judge-answer.ts'
import { describeFailure, type PushFailureKind } from './push-failure.ts'
import type { PushSecrets } from './push-secrets.ts'
import { signRequest } from './sign-request.ts'

interface SendTestOptions extends GuardOptions {
  /** Of the consumer's source. */
  source: EnvelopeSource
  secrets: PushSecrets
  userAgent: string
}

/** What became of a sample; no message of the queue is touched. */
export interface PushTestResult {
  /** The endpoint took it: a 2xx. */
  success: boolean
  /** Null: no complete answer came. */
  status: number | null
  latencyMs: number
  /** The beginning of the answer's body; null: there was none. */
  answer: string | null
  failure: { kind: PushFailureKind | 'status'; message: string } | null
}

const ANSWER_LENGTH_MAX = 2048
/** Somebody waits for it, and clients give up after 30 seconds. */
const TEST_TIMEOUT_MS_MAX = 25_000

/** Whose sample it is: a consumer, or one that is still to be created. */
type SampleConsumer = Pick<Consumer, 'id' | 'name' | 'tables' | 'annotations'>

/** POSTs a signed sample to the consumer's endpoint, once, on a connection of its own. */
export async function sendTest(
  consumer: SampleConsumer,
  push: PushConfig,
  options: SendTestOptions,
): Promise<PushTestResult> {
  const request = signRequest(makeSample(consumer, push, options.source), {
    secrets: options.secrets,
    id: `test_${randomUUID()}`,
    attempt: 1,
    nowMs: Date.now(),
    userAgent: options.userAgent,
  })

  const begun = performance.now()
  const latencyMs = (): number => Math.round(performance.now() - begun)
  let client: EndpointClient | undefined
  try {
    client = new EndpointClient({
      guard: options.guard,
      ...(options.resolve ? { resolve: options.resolve } : {}),
      url: push.url,
      timeoutMs: Math.min(push.timeout_ms, TEST_TIMEOUT_MS_MAX),
      connectionsMax: 1,
      allowHttp: push.allow_http,
    })
    return describeResult(await client.request(request), latencyMs())
  } catch (error) {
    const { kind, message } = describeFailure(error)
    return {
      success: false,
      status: null,
      latencyMs: latencyMs(),
      answer: null,
      failure: { kind, message },
    }
  } finally {
    await client?.close()
  }
}

function describeResult(answer: PushAnswer, latencyMs: number): PushTestResult {
  const success = answer.status >= 200 && answer.status < 300
  return {
    success,
    status: answer.status,
    latencyMs,
    answer: answer.body === '' ? null : answer.body.slice(0, ANSWER_LENGTH_MAX),
    failure: success ? null : { kind: 'status', message: describeAnswer(answer) },
  }
}

/** Of the shape of a message, and marked so that a receiver can tell. */
function makeSample(consumer: SampleConsumer, push: PushConfig, source: EnvelopeSource): string {
  const [schema = 'public', table = 'sample'] = (consumer.tables[0] ?? '').split('.')
  const now = new Date().toISOString()
  const message = {
    record: { id: 1 },
    changes: null,
    action: 'insert',
    metadata: {
      test: true,
      table_schema: schema === '*' ? 'public' : schema,
      table_name: table === '*' ? 'sample' : table,
      commit_timestamp: now,
      commit_lsn: 0,
      commit_idx: 1,
      idempotency_key: `test_${randomUUID()}`,
      database: { id: source.id, name: source.name },
      consumer: { id: consumer.id, name: consumer.name, annotations: consumer.annotations },
    },
    delivery: { attempt: 1, group: null, lease_expires_at: now },
  }
  return JSON.stringify(push.batch_size > 1 ? { data: [message] } : message)
}

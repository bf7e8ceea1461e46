import {
  trace,
  SpanKind,
  SpanStatusCode,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { createClient, createWorker } from '../../sdk/src/index.ts'
import type { Message } from '../../sdk/src/message.ts'

interface Recorded {
  name: string
  options: SpanOptions
  attributes: Record<string, unknown>
  status: number | undefined
  ended: boolean
}

const recorded: Recorded[] = []

/** Just enough of a tracer to see what is asked of it. */
const tracer = {
  startActiveSpan<T>(name: string, options: SpanOptions, run: (span: Span) => T): T {
    const span: Recorded = { name, options, attributes: {}, status: undefined, ended: false }
    recorded.push(span)
    return run({
      setAttribute: (key: string, value: unknown) => (span.attributes[key] = value),
      recordException: () => {},
      setStatus: ({ code }: { code: number }) => (span.status = code),
      end: () => (span.ended = true),
    } as unknown as Span)
  },
} as Tracer

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN_ID = '00f067aa0ba902b7'

function messageOf(id: number, annotations?: Record<string, unknown>): Message {
  return {
    ack_id: `a${id}`,
    action: 'insert',
    record: { id },
    changes: null,
    metadata: {
      table_schema: 'public',
      table_name: 'orders',
      commit_timestamp: '',
      commit_lsn: id,
      commit_idx: 1,
      idempotency_key: String(id),
      database: { id: '', name: '' },
      consumer: { id: '', name: '' },
      ...(annotations ? { transaction_annotations: annotations } : {}),
    },
    delivery: { attempt: 1, group: null, lease_expires_at: '' },
  }
}

/** A client of a server that has these messages, once, and takes every settlement. */
function clientWith(messages: Message[]) {
  return createClient({
    baseUrl: 'http://millrace.test',
    retry: false,
    fetch: (url, { body, signal }) => {
      if (url.endsWith('/receive')) {
        const data = messages.splice(0)
        if (data.length > 0) return Response.json({ data, meta: { limited_by: null } })
        return new Promise((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error))
        })
      }
      const { acks = [], nacks = [] } = JSON.parse(body as string) as Record<
        string,
        { ack_id: string }[]
      >
      const results = [
        ...acks.map(({ ack_id }) => ({ ack_id, status: 'acked' })),
        ...nacks.map(({ ack_id }) => ({ ack_id, status: 'nacked' })),
      ]
      return Response.json({ success: true, results, counts: {} })
    },
  })
}

async function workOff(messages: Message[], handle: (message: Message) => void): Promise<void> {
  let open = messages.length
  const worker = createWorker(clientWith(messages), { consumer: 'inventory', handle })
  worker.on('settled', () => --open === 0 && void worker.stop())
  await worker.run()
}

const spansOf = (operation: string) => recorded.filter(({ name }) => name.startsWith(operation))

describe('where @opentelemetry/api is installed', () => {
  beforeAll(() => {
    trace.setGlobalTracerProvider({ getTracer: () => tracer })
  })
  beforeEach(() => {
    recorded.splice(0)
  })
  afterAll(() => {
    trace.disable()
  })

  test('a worker makes spans of receiving, processing and settling', async () => {
    await workOff([messageOf(1), messageOf(2)], () => {})

    expect(spansOf('receive inventory')[0]).toMatchObject({
      options: {
        kind: SpanKind.CLIENT,
        attributes: { 'messaging.system': 'millrace', 'messaging.operation.type': 'receive' },
      },
      attributes: { 'messaging.batch.message_count': 2 },
    })
    expect(spansOf('process inventory')).toHaveLength(2)
    expect(spansOf('process inventory')[0]?.options.kind).toBe(SpanKind.CONSUMER)
    expect(spansOf('settle inventory')).toMatchObject([
      { options: { attributes: { 'messaging.batch.message_count': 2 } } },
    ])
    expect(recorded.every(({ ended }) => ended)).toBe(true)
  })

  test('the span of a message links to the span that wrote it', async () => {
    const traceparent = `00-${TRACE_ID}-${SPAN_ID}-01`
    const broken = [`00-${'0'.repeat(32)}-${SPAN_ID}-01`, 'nonsense', 7]
    const messages = [traceparent, ...broken].map((value, id) =>
      messageOf(id, { traceparent: value }),
    )

    await workOff(messages, () => {})

    const links = spansOf('process').map(({ options }) => options.links)
    expect(links).toEqual([
      [{ context: { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, isRemote: true } }],
      undefined,
      undefined,
      undefined,
    ])
  })

  test('the span of a handler that throws says so', async () => {
    await workOff([messageOf(1)], () => {
      throw new RangeError('no')
    })

    expect(spansOf('process')).toMatchObject([
      { status: SpanStatusCode.ERROR, attributes: { 'error.type': 'RangeError' } },
    ])
  })
})

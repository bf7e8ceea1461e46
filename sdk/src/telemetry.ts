/**
 * Spans through `@opentelemetry/api`, where the application has it installed. It is no
 * dependency: the few shapes that are used are written down here.
 */
interface OtelSpan {
  setAttribute(name: string, value: string | number): void
  recordException(error: Error): void
  setStatus(status: { code: number; message?: string }): void
  end(): void
}

interface OtelApi {
  trace: {
    getTracer(name: string): {
      startActiveSpan<T>(name: string, options: object, run: (span: OtelSpan) => T): T
    }
  }
  SpanKind: { CLIENT: number; CONSUMER: number }
  SpanStatusCode: { ERROR: number }
}

interface SpanContext {
  traceId: string
  spanId: string
  traceFlags: number
  isRemote: true
}

export interface SpanOptions {
  operation: 'receive' | 'process' | 'settle'
  consumer: string
  attributes?: Record<string, string | number>
  links?: readonly SpanContext[]
}

/** What the code inside a span may say of itself. */
export interface CurrentSpan {
  setAttribute(name: string, value: string | number): void
  /** The span failed; a throw does the same by itself. */
  fail(error: unknown): void
}

const NO_SPAN: CurrentSpan = { setAttribute: () => {}, fail: () => {} }

let loading: Promise<OtelApi | null> | undefined
/** Undefined: not looked for yet. Null: not installed. */
let api: OtelApi | null | undefined

/** Runs within a span, or just runs. */
export async function withSpan<T>(
  options: SpanOptions,
  run: (span: CurrentSpan) => Promise<T>,
): Promise<T> {
  const otel = api === undefined ? await loadApi() : api
  if (!otel) return run(NO_SPAN)
  const tracer = otel.trace.getTracer('@millrace/client')
  return tracer.startActiveSpan(
    `${options.operation} ${options.consumer}`,
    toOtelOptions(otel, options),
    async (span) => {
      const current = toCurrentSpan(otel, span)
      try {
        return await run(current)
      } catch (error) {
        current.fail(error)
        throw error
      } finally {
        span.end()
      }
    },
  )
}

function toCurrentSpan(otel: OtelApi, span: OtelSpan): CurrentSpan {
  return {
    setAttribute: (name, value) => span.setAttribute(name, value),
    fail(thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      span.setAttribute('error.type', error.name)
      span.recordException(error)
      span.setStatus({ code: otel.SpanStatusCode.ERROR, message: error.message })
    },
  }
}

async function loadApi(): Promise<OtelApi | null> {
  // Not a literal, so that bundlers do not insist on what may be missing.
  const name = '@opentelemetry/api'
  loading ??= import(/* @vite-ignore */ name).then(
    (loaded) => loaded as OtelApi,
    () => null,
  )
  return (api = await loading)
}

function toOtelOptions(otel: OtelApi, { operation, consumer, attributes, links }: SpanOptions) {
  return {
    kind: operation === 'process' ? otel.SpanKind.CONSUMER : otel.SpanKind.CLIENT,
    attributes: {
      'messaging.system': 'millrace',
      'messaging.operation.name': operation,
      'messaging.operation.type': operation,
      'messaging.destination.name': consumer,
      ...attributes,
    },
    ...(links?.length ? { links: links.map((context) => ({ context })) } : {}),
  }
}

const TRACEPARENT = /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/

/** The span that wrote the change, if its transaction was annotated with a W3C `traceparent`. */
export function readTraceparent(annotations: Record<string, unknown> | undefined) {
  const value = annotations?.['traceparent']
  const match = typeof value === 'string' ? TRACEPARENT.exec(value) : null
  if (!match) return []
  const [, traceId = '', spanId = '', flags = '0'] = match
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return []
  const context: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
  }
  return [context]
}

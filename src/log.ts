import type { Writable } from 'node:stream'
import { styleText } from 'node:util'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** What the program says about itself. Fields are shown beside the message, never secrets. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

interface LoggerOptions {
  level: LogLevel
  /** One readable line for people; else one JSON object a line for machines. */
  pretty: boolean
  stream: Writable
  /** Only with `pretty`. */
  colors?: boolean
}

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 }
const COLOR = { debug: 'gray', info: 'blue', warn: 'yellow', error: 'red' } as const

/** Bounds what one line may hold, whatever was handed in. */
const DEPTH_MAX = 6
const ITEMS_MAX = 100
const TEXT_LENGTH_MAX = 8192

const SECRET_NAME = /pass(word|wd|phrase)?$|token$|secret|authorization|cookie|api_?key|credential/i
/** Their parts are bounded: without it a long text takes a time that grows with its square. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]{0,20}:\/\/[^\s/:@]{0,256}:)[^\s/]{1,1024}@/gi
const BEARER = /\bBearer\s+[^\s"']+/gi
const TOKEN = /\bmr_[A-Za-z0-9]{1,64}_[A-Za-z0-9_-]+/g
const HIDDEN = '***'

/** Writes lines of `level` and above to `stream`. */
export function createLogger(options: LoggerOptions): Logger {
  const write = (level: LogLevel, message: string, fields: Record<string, unknown> = {}): void => {
    if (RANK[level] < RANK[options.level]) return
    const safe = redact(fields, 0) as Record<string, unknown>
    const text = redactText(message)
    const time = new Date().toISOString()
    options.stream.write(
      options.pretty
        ? formatLine(time, level, text, safe, options.colors ?? false)
        : `${JSON.stringify({ time, level, message: text, ...safe })}\n`,
    )
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  }
}

/** Hides passwords in URLs, bearer tokens and our own tokens inside a text. */
export function redactText(text: string): string {
  // Cut twice: a secret that the first cut goes through is beyond the second.
  const hidden = text
    .slice(0, 2 * TEXT_LENGTH_MAX)
    .replace(URL_PASSWORD, `$1${HIDDEN}@`)
    .replace(BEARER, `Bearer ${HIDDEN}`)
    .replace(TOKEN, `mr_${HIDDEN}`)
  return hidden.length > TEXT_LENGTH_MAX ? `${hidden.slice(0, TEXT_LENGTH_MAX)}…` : hidden
}

function formatLine(
  time: string,
  level: LogLevel,
  message: string,
  fields: Record<string, unknown>,
  colors: boolean,
): string {
  const paint = (format: Parameters<typeof styleText>[0], text: string): string =>
    // The caller knows its stream; styleText would ask stdout.
    colors ? styleText(format, text, { validateStream: false }) : text
  const pairs = Object.entries(fields).map(
    ([name, value]) => paint('gray', `${name}=`) + showValue(value),
  )
  const head = `${paint('gray', time.slice(11, 23))} ${paint(COLOR[level], level.padEnd(5))}`
  return `${[head, message, ...pairs].join(' ')}\n`
}

function showValue(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  if (typeof value === 'object' && value !== null && 'stack' in value) return String(value.stack)
  return JSON.stringify(value) ?? 'undefined'
}

/** A copy of `value` that is safe to print and always serialisable. */
function redact(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value)) return `<${value.byteLength} bytes>`
  if (depth >= DEPTH_MAX) return '…'
  if (value instanceof Error) return redactError(value, depth)
  if (value instanceof Set || value instanceof Map) return redact([...value], depth)
  if (Array.isArray(value)) {
    return value.slice(0, ITEMS_MAX).map((item) => redact(item, depth + 1))
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, ITEMS_MAX)
      .map(([name, item]) => [name, redactNamed(name, item, depth)]),
  )
}

function redactNamed(name: string, value: unknown, depth: number): unknown {
  const empty = value === undefined || value === null || value === ''
  return SECRET_NAME.test(name) && !empty ? HIDDEN : redact(value, depth + 1)
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return {
    name: error.name,
    message: redactText(error.message),
    ...code,
    stack: redactText(error.stack ?? ''),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  }
}

import type { components, Duration } from '@millrace/client'

import { ConfigError } from '../../config.ts'

type LogTarget = components['schemas']['LogTarget']

/** @throws ConfigError unless it is a whole number */
export function readNumber(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new ConfigError([`${name} must be a whole number, not "${text}"`])
}

/** `20s`, `5m`, `1h`, or ms; how long it may be is for the server to judge. @throws ConfigError */
export function readDuration(name: string, text: string): Duration {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  if (/^\d{1,9}(ms|s|m|h)$/.test(text)) return text
  throw new ConfigError([`${name} must be a duration such as 500ms, 20s or 5m, not "${text}"`])
}

/** `public.orders` @throws ConfigError for a name without its schema: nothing would ever match it */
export function readTable(name: string, text: string): string {
  if (/^[^.]+\..+$/.test(text)) return text
  throw new ConfigError([`${name} must name the schema as well, such as public.${text}`])
}

/** @throws ConfigError unless it is a JSON object */
export function readObject(name: string, text: string): Record<string, unknown> {
  const value = parseJson(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new ConfigError([`${name} must be a JSON object, such as '{"max_deliveries": 5}'`])
}

/** `a,b` */
export function readList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** `earliest`, `latest`, `seq:17`, `lsn:123456`, or a time. @throws ConfigError */
export function readTarget(name: string, text: string): LogTarget {
  if (text === 'earliest' || text === 'latest') return text
  const [, kind, number] = /^(seq|lsn):(\d{1,15})$/.exec(text) ?? []
  if (kind !== undefined) {
    return kind === 'seq' ? { seq: Number(number) } : { commit_lsn: Number(number) }
  }
  return { time: readTime(name, text, 'earliest, latest, seq:17, lsn:123456, or ') }
}

/** @throws ConfigError unless it is a time; without a zone it is local */
export function readTime(name: string, text: string, orElse = ''): string {
  const time = new Date(text)
  if (/^\d{4}-/.test(text) && !Number.isNaN(time.getTime())) return time.toISOString()
  throw new ConfigError([`${name} must be ${orElse}a time such as 2026-01-31T12:00:00Z`])
}

/** A key as JSON, `42` or `["a",1]`; what is no JSON is a text, and so is a number that would lose digits. */
export function readKey(text: string): string | number | (string | number | null)[] {
  const value = parseJson(text)
  if (typeof value === 'number' && String(value) !== text) return text
  return typeof value === 'number' || typeof value === 'string' || Array.isArray(value)
    ? (value as string | number | (string | number | null)[])
    : text
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

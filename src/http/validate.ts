import type { z } from '@hono/zod-openapi'

import { MillraceError, type ErrorDetail } from '../errors.ts'
import { formatPointer } from '../json-pointer.ts'

type Issue = z.core.$ZodIssue

/** @throws MillraceError `validation_failed`, with a JSON pointer to each fault */
export function validateBody<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const errors = result.error.issues.flatMap((issue) => describeIssue(issue, value))
  throw new MillraceError('validation_failed', summarise(errors), { errors })
}

/** @throws MillraceError `invalid_parameter`; the pointers name query parameters */
export function validateQuery<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const errors = result.error.issues.flatMap((issue) => describeIssue(issue, value))
  throw new MillraceError('invalid_parameter', `Query: ${summarise(errors)}`, { errors })
}

function summarise(errors: readonly ErrorDetail[]): string {
  const [first] = errors
  if (!first) return 'The request is not valid.'
  const rest = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return `${first.pointer === '' ? 'The body' : first.pointer.slice(1)} ${first.detail}${rest}`
}

function describeIssue(issue: Issue, root: unknown): ErrorDetail[] {
  const pointer = formatPointer(issue.path)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        pointer: formatPointer([...issue.path, key]),
        detail: 'is not a field of this call',
      }))
    case 'invalid_type':
      return [{ pointer, detail: describeType(issue.expected, issue.path, root) }]
    case 'too_small':
      return [{ pointer, detail: describeLimit('at least', issue.minimum, issue.origin) }]
    case 'too_big':
      return [{ pointer, detail: describeLimit('at most', issue.maximum, issue.origin) }]
    case 'invalid_value':
      return [{ pointer, detail: `must be one of ${issue.values.map(String).join(', ')}` }]
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues.map(({ message }) => ({ pointer, detail: message }))
    default:
      return [{ pointer, detail: issue.message }]
  }
}

function describeType(expected: string, path: readonly PropertyKey[], root: unknown): string {
  let value = root
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key]
  if (value === undefined) return 'is missing'
  const wanted =
    expected === 'int' ? 'a whole number' : expected === 'record' ? 'an object' : expected
  return `must be ${/^[a-z]+$/.test(wanted) ? `${/^[aeiou]/.test(wanted) ? 'an' : 'a'} ${wanted}` : wanted}, not ${nameOf(value)}`
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function describeLimit(bound: string, limit: number | bigint, origin: string): string {
  if (origin === 'string') return `must have ${bound} ${limit} characters`
  if (origin === 'array') return `must have ${bound} ${limit} entries`
  return `must be ${bound} ${limit}`
}

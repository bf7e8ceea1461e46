import { ApiError, createClient } from '@millrace/client'

import { CONSOLE_HEADERS, endSession } from './session.ts'

/** The API, as everybody else uses it. */
export const client = createClient({
  baseUrl: location.origin,
  headers: CONSOLE_HEADERS,
  retry: { attempts: 2 },
  fetch: async (url, init) => {
    const response = await fetch(url, init)
    if (response.status === 401) endSession()
    return response
  },
})

/** What went wrong, in words for people. */
export function explainError(error: unknown): string {
  if (error instanceof ApiError) return error.message
  return error instanceof Error ? error.message : String(error)
}

/** There is no such thing, or none that the token may see. */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

/** The faults of a refused form by field name (the last part of the pointer). */
export function faultsOf(error: unknown): Record<string, string> {
  if (!(error instanceof ApiError)) return {}
  return Object.fromEntries(
    error.problem.errors.map(({ pointer, detail }) => [pointer.split('/')[1] ?? '', detail]),
  )
}

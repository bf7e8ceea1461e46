import { z } from '@hono/zod-openapi'

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const FORM = /^(\d{1,9})(ms|s|m|h)$/

/** Whole ms, or a text such as `500ms`, `20s`, `5m`, `1h`; comes out in ms. */
export function durationSchema(maxMs: number, maxText: string) {
  return z
    .union([z.int(), z.string()], {
      error: 'must be a duration: a whole number of ms, or a text such as "500ms", "20s", "5m"',
    })
    .transform((value, context) => {
      const ms = typeof value === 'number' ? value : parseDuration(value)
      if (ms !== undefined && ms >= 0 && ms <= maxMs) return ms
      const message =
        ms === undefined
          ? 'must be a duration such as "500ms", "20s", "5m" or "1h"'
          : `must be from 0 to ${maxText}`
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    })
}

function parseDuration(text: string): number | undefined {
  const [, amount, unit] = FORM.exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

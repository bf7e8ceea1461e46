import type { components } from '@millrace/client'

import type { Paint } from '../terminal.ts'

type Plan = components['schemas']['ConfigurationPlan']
type Change = Plan['changes'][number]

const SIGNS = {
  create: ['+', 'green'],
  update: ['~', 'yellow'],
  replace: ['±', 'yellow'],
  delete: ['-', 'red'],
} as const

/** One line an entry, and below it one a field. Secrets are named only. */
export function formatPlan({ changes, unlisted }: Plan, paint: Paint): string[] {
  const lines = changes.flatMap((change) => formatChange(change, paint))
  const left = unlisted.map(({ kind, name }) => `  ${kind} ${name} is not in the file; left alone`)
  const count = (wanted: Change['action']): number =>
    changes.filter(({ action }) => action === wanted).length
  const summary =
    changes.length === 0
      ? 'Nothing to change.'
      : `${count('create')} to create, ${count('update') + count('replace')} to change, ${count('delete')} to delete.`
  return [...lines, ...left, summary]
}

function formatChange({ kind, name, action, fields }: Change, paint: Paint): string[] {
  const [sign, color] = SIGNS[action]
  return [
    paint(color, `${sign} ${kind} ${name}`),
    ...fields.map(({ field, before, after, secret }) => {
      if (secret) return `    ${field}: (secret)`
      const shown = JSON.stringify(after)
      return before === undefined
        ? `    ${field}: ${shown}`
        : `    ${field}: ${JSON.stringify(before)} → ${shown}`
    }),
  ]
}

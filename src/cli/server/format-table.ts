/** Columns under their titles, as wide as they need to be. Nothing stands for null. */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly unknown[])[],
): string[] {
  const lines = [titles, ...rows.map((row) => row.map(formatValue))]
  const widths = titles.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0)),
  )
  return lines.map((line) =>
    line
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** One `name  value` a line. */
export function formatFields(object: object): string[] {
  const entries = Object.entries(object)
  const width = Math.max(0, ...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${formatValue(value)}`.trimEnd())
}

/** Control characters would let what somebody stored steer the terminal. */
export function formatValue(value: unknown): string {
  if (value === null || value === undefined) return '-'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.replaceAll(/\p{Cc}/gu, '\ufffd')
}

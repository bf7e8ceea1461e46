/** One measured number, with the bound it must keep if it has one. */
export interface Figure {
  readonly what: string
  readonly workload: string
  readonly value: string
  /** CPU and memory of the server meanwhile. */
  readonly server?: string
  readonly limit?: { readonly text: string; readonly kept: boolean }
}

/** Prints figures as a Markdown table, so that it can go into bench/README.md as it is. */
export function printFigures(title: string, figures: readonly Figure[]): void {
  const rows = figures.map(({ what, workload, value, server, limit }) => [
    what,
    workload,
    value,
    server ?? '',
    limit?.text ?? '',
    limit === undefined ? '' : limit.kept ? 'yes' : 'NO',
  ])
  const head = ['figure', 'workload', 'measured', 'server', 'limit', 'kept']
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]!.length)),
  )
  const print = (cells: readonly string[]): void => {
    console.log(`| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`)
  }
  console.log(`\n${title}\n`)
  print(head)
  print(widths.map((width) => '-'.repeat(width)))
  for (const row of rows) print(row)
  console.log()
}

export function formatRate(perSecond: number, unit: string): string {
  return `${Math.round(perSecond).toLocaleString('en')} ${unit}/s`
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Says what goes on, where one waits for long. */
export function note(text: string): void {
  console.error(`  ${text}`)
}

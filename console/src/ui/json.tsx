import type { ComponentChildren } from 'preact'

/** JSON with whole numbers of any size, which arrive as bigint. */
export function formatJson(value: unknown, indent = ''): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const inner = `${indent}  `
  const isArray = Array.isArray(value)
  const parts = isArray
    ? value.map((item) => inner + formatJson(item, inner))
    : Object.entries(value).map(
        ([key, item]) => `${inner}${JSON.stringify(key)}: ${formatJson(item, inner)}`,
      )
  const [open, close] = isArray ? '[]' : '{}'
  return parts.length === 0 ? `${open}${close}` : `${open}\n${parts.join(',\n')}\n${indent}${close}`
}

/** On one line, for a table. */
export function formatInline(value: unknown): string {
  if (typeof value === 'string') return value
  return formatJson(value).replaceAll(/\n */g, ' ')
}

/** JSON in colours. Every part is a text node: what a record holds is shown, never run. */
export function Json({ value, indent = '' }: { value: unknown; indent?: string }) {
  if (typeof value === 'string') return <span class="json-string">{JSON.stringify(value)}</span>
  if (typeof value === 'number' || typeof value === 'bigint') {
    return <span class="json-number">{String(value)}</span>
  }
  if (typeof value !== 'object' || value === null) {
    return <span class="json-word">{JSON.stringify(value ?? null)}</span>
  }
  const isArray = Array.isArray(value)
  const entries = Object.entries(value)
  const [open, close] = isArray ? '[]' : '{}'
  if (entries.length === 0) return <>{`${open}${close}`}</>
  const inner = `${indent}  `
  const lines: ComponentChildren[] = entries.map(([key, item], index) => (
    <>
      {`\n${inner}`}
      {!isArray && (
        <>
          <span class="json-key">{JSON.stringify(key)}</span>
          {': '}
        </>
      )}
      <Json value={item} indent={inner} />
      {index < entries.length - 1 && ','}
    </>
  ))
  return (
    <>
      {open}
      {lines}
      {`\n${indent}${close}`}
    </>
  )
}

import { useState } from 'preact/hooks'

import { explainError } from '../api.ts'
import { formatPlural } from '../format.ts'
import { previewFilter, type Preview } from '../messages.ts'
import { may, seesEverything } from '../session.ts'
import { Field } from '../ui/field.tsx'
import { Icon } from '../ui/icon.tsx'
import { formatInline } from '../ui/json.tsx'
import { useDebounced } from '../use-debounced.ts'
import { useQuery } from '../use-query.ts'

export type Action = 'insert' | 'update' | 'delete'

interface FilterFieldProps {
  source: string
  /** What is selected besides; none: nothing is tried. */
  tables: readonly string[]
  actions: readonly Action[]
  value: string
  onChange: (filter: string) => void
  /** What the server said when it was to be saved. */
  error: string | undefined
  disabled?: boolean
  hint?: string
}

const SETTLE_MS = 300

type PreviewError = Preview['errors'][number]

/** A filter, checked while it is typed, and tried on the newest changes. */
export function FilterField(props: FilterFieldProps) {
  const { source, tables, actions, value, onChange, error, disabled = false } = props
  const isTried = may('read') && seesEverything() && source !== '' && actions.length > 0
  const filter = value.trim() === '' ? null : value
  const asked = useDebounced(JSON.stringify({ tables, actions, filter }), SETTLE_MS)
  const preview = useQuery(`${source} ${asked} ${isTried}`, async (signal) => {
    const body = JSON.parse(asked) as { tables: string[]; actions: Action[]; filter: string | null }
    if (!isTried) return undefined
    // Before a table is chosen the filter is tried on all of them.
    return previewFilter(
      source,
      { ...body, tables: body.tables.length > 0 ? body.tables : ['*'] },
      signal,
    )
  })
  // While the next one is on its way the last one stays in sight.
  const [last, setLast] = useState<Preview>()
  const shown = preview.data ?? last
  if (preview.data !== undefined && preview.data !== last) setLast(preview.data)
  const fault =
    value === '' ? undefined : shown?.errors.find(({ pointer }) => pointer === '/filter')
  const describedBy = error ?? fault?.detail
  return (
    <div class="stack">
      <div>
        <Field
          label="Filter"
          value={value}
          onInput={onChange}
          error={describedBy}
          disabled={disabled}
          placeholder="record.total_price > 100.0"
          hint={
            <>
              A CEL expression over <code>record</code>, <code>changes</code>, <code>action</code>{' '}
              and <code>metadata</code>. Empty: everything. {props.hint}
            </>
          }
          rows={2}
          mono
        />
        {fault?.position && <Pointer text={value} position={fault.position} />}
      </div>
      {isTried && (
        <PreviewList
          preview={shown}
          error={preview.error}
          isOld={
            preview.data === undefined || asked !== JSON.stringify({ tables, actions, filter })
          }
        />
      )}
    </div>
  )
}

/** The line that is wrong, and a mark below the place. */
function Pointer({
  text,
  position: { line, column },
}: {
  text: string
  position: NonNullable<PreviewError['position']>
}) {
  const shown = text.split('\n')[line - 1] ?? ''
  return (
    <pre class="pointer" aria-hidden="true">
      {shown}
      {`\n${' '.repeat(Math.max(0, column - 1))}`}
      <span class="bad">^</span>
    </pre>
  )
}

const OUTCOMES = {
  passes: { icon: 'check', text: 'Passes', tone: 'ok' },
  filtered: { icon: 'minus', text: 'Filtered out', tone: 'faint' },
  fails: { icon: 'cross', text: 'Fails', tone: 'bad' },
} as const

type Outcome = keyof typeof OUTCOMES

interface PreviewListProps {
  preview: Preview | undefined
  error: unknown
  isOld: boolean
}

function PreviewList({ preview, error, isOld }: PreviewListProps) {
  const [asked, setOnly] = useState<Outcome>()
  if (error !== undefined) return <p class="hint">{explainError(error)}</p>
  if (!preview) return <p class="hint">Trying it on the newest changes …</p>
  // Of a wrong expression there is nothing to show; the field says why.
  if (preview.errors.length > 0) return null
  const { data, passes, filtered, fails } = preview
  if (data.length === 0) {
    return <p class="hint">The log holds no change of these tables yet to try it on.</p>
  }
  const counts: Record<Outcome, number> = { passes, filtered, fails }
  // Of what is no longer among them nothing would be left to see.
  const only = asked && counts[asked] > 0 ? asked : undefined
  const shown = data.filter(({ outcome }) => only === undefined || outcome === only)
  return (
    <section class={isOld ? 'card preview is-old' : 'card preview'} aria-label="Preview">
      <div class="preview-head">
        <span class="small" role="status">
          Of the newest {formatPlural(data.length, 'change')} <strong>{passes}</strong>{' '}
          {passes === 1 ? 'passes' : 'pass'}
          {filtered > 0 && `, ${filtered} do${filtered === 1 ? 'es' : ''} not`}
          {fails > 0 && (
            <>
              , <strong class="bad">{formatPlural(fails, 'failure')}</strong>
            </>
          )}
        </span>
        <div
          class="segments"
          role="group"
          aria-label="Show"
          hidden={Object.values(counts).filter((count) => count > 0).length < 2}
        >
          {([undefined, 'passes', 'filtered', 'fails'] as const)
            .filter((each) => each === undefined || counts[each] > 0)
            .map((each) => (
              <button
                key={each ?? 'all'}
                type="button"
                aria-pressed={only === each}
                onClick={() => setOnly(each)}
              >
                {each === undefined ? 'All' : OUTCOMES[each].text}
              </button>
            ))}
        </div>
      </div>
      <ol tabIndex={0} aria-label="Newest changes">
        {shown.map((change) => {
          const { icon, text, tone } = OUTCOMES[change.outcome]
          return (
            <li key={change.seq} class={change.outcome === 'filtered' ? 'is-out' : ''}>
              <span class={tone} title={text}>
                <Icon name={icon} />
                <span class="sr-only">{text}</span>
              </span>
              <span class="nowrap">
                {change.action} {change.table_name} <span class="mono">{change.key}</span>
              </span>
              <code class="muted">{formatInline(change.record)}</code>
              {change.reason && <p class="bad small">{change.reason}</p>}
            </li>
          )
        })}
      </ol>
    </section>
  )
}

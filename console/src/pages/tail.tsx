import { useLocation } from 'preact-iso'
import { useMemo, useState } from 'preact/hooks'

import { explainError } from '../api.ts'
import { formatCount, formatExactClock, formatTime } from '../format.ts'
import { useShortcuts } from '../keyboard.ts'
import { headOf, useLive, type Live } from '../live.ts'
import type { Change } from '../messages.ts'
import { seesEverything } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Select } from '../ui/field.tsx'
import { formatInline } from '../ui/json.tsx'
import { Empty, Label, Note, Skeletons } from '../ui/parts.tsx'
import { SearchField } from '../ui/search-field.tsx'
import { useTitle } from '../use-title.ts'
import { useTail, type Tailed } from './use-tail.ts'

type Overview = NonNullable<Live['overview']>

/** The newest changes of a source, or of what a consumer selects, as they come. */
export function Tail() {
  useTitle('Live tail')
  const { query: address, route } = useLocation()
  const { overview } = useLive()
  const [table, setTable] = useState('')
  const [isPaused, setIsPaused] = useState(false)
  const options = overview ? listOptions(overview) : []
  const asked = address['consumer']
    ? `consumer:${address['consumer']}`
    : address['source']
      ? `source:${address['source']}`
      : ''
  const shown = options.some(([value]) => value === asked) ? asked : (options[0]?.[0] ?? '')
  const [kind, name = ''] = shown.split(':')
  const consumer = overview?.consumers.find((each) => kind === 'consumer' && each.name === name)
  const source = consumer?.source ?? name
  const tail = useTail(
    kind === 'consumer'
      ? { consumer: name, head: headOf(overview, source) }
      : { source: name, table },
    isPaused,
  )
  useShortcuts({ ' ': () => setIsPaused(!isPaused) })
  if (!overview) return <Skeletons />
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Live tail</h1>
          <p>Changes as they are captured. Looking delivers nothing.</p>
        </div>
        <div class="row">
          <Select
            label="Of"
            hideLabel
            value={shown}
            options={options}
            onChange={(next) => route(`/tail?${next.replace(':', '=')}`, true)}
          />
          {kind === 'source' && (
            <SearchField
              label="Table"
              placeholder="Table: public.orders"
              isFirst
              value={table}
              onSearch={setTable}
            />
          )}
          <PauseButton isPaused={isPaused} onChange={setIsPaused} />
        </div>
      </div>
      <TailList tail={tail} source={source} isPaused={isPaused} />
    </div>
  )
}

function listOptions({ sources, consumers }: Overview): [value: string, text: string][] {
  return [
    ...(seesEverything() ? sources : []).map(({ name }): [string, string] => [
      `source:${name}`,
      `All of ${name}`,
    ]),
    ...consumers.map(({ name }): [string, string] => [`consumer:${name}`, `What ${name} gets`]),
  ]
}

/** What a consumer selects, on its own page. */
export function ConsumerTail({
  consumer: { name, source },
}: {
  consumer: { name: string; source: string }
}) {
  const { overview } = useLive()
  const [isPaused, setIsPaused] = useState(false)
  const tail = useTail({ consumer: name, head: headOf(overview, source) }, isPaused)
  useShortcuts({ ' ': () => setIsPaused(!isPaused) })
  return (
    <section class="section" aria-label="Live tail">
      <div class="section-head">
        <span class="muted small">What it selects of {source}, as it is captured.</span>
        <PauseButton isPaused={isPaused} onChange={setIsPaused} />
      </div>
      <TailList tail={tail} source={source} isPaused={isPaused} />
    </section>
  )
}

function PauseButton({
  isPaused,
  onChange,
}: {
  isPaused: boolean
  onChange: (isPaused: boolean) => void
}) {
  return (
    <Button
      icon={isPaused ? 'play' : 'pause'}
      title="Or press the space bar"
      onClick={() => onChange(!isPaused)}
    >
      {isPaused ? 'Go on' : 'Hold'}
    </Button>
  )
}

interface TailListProps {
  tail: { tailed: Tailed; error: unknown }
  source: string
  isPaused: boolean
}

function TailList({ tail: { tailed, error }, source, isPaused }: TailListProps) {
  // What is live on the page draws it anew twice a second; the lines are new once a second at most.
  const lines = useMemo(
    () =>
      tailed.changes.map((change) => <TailLine key={change.seq} source={source} change={change} />),
    [tailed.changes, source],
  )
  return (
    <>
      {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
      <div class="card">
        {tailed.changes.length === 0 ? (
          <Empty title={isPaused ? 'Held' : 'Waiting for a change'}>
            Change a row of a captured table, and it is here within a second.
          </Empty>
        ) : (
          <ol class="tail" aria-label="Changes" tabIndex={0}>
            {lines}
          </ol>
        )}
      </div>
      {tailed.passed > 0 && (
        <p class="hint">
          {formatCount(tailed.passed)} changes came too fast to be shown; the log has them all.
        </p>
      )}
    </>
  )
}

function TailLine({ source, change }: { source: string; change: Change }) {
  const seq = <span class="mono">{change.seq}</span>
  return (
    <li>
      <time
        class="mono faint"
        dateTime={change.commit_timestamp}
        title={formatTime(change.commit_timestamp)}
      >
        {formatExactClock(change.commit_timestamp)}
      </time>
      {seesEverything() ? <a href={`/sources/${source}/changes/${change.seq}`}>{seq}</a> : seq}
      <span>
        <Label>{change.action}</Label> {change.table_name} <span class="mono">{change.key}</span>
      </span>
      <code class="muted">{formatInline(change.record)}</code>
    </li>
  )
}

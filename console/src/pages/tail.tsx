import { useLocation } from 'preact-iso'
import { useEffect, useRef, useState } from 'preact/hooks'

import { explainError } from '../api.ts'
import { formatCount, formatTime } from '../format.ts'
import { useShortcuts } from '../keyboard.ts'
import { useLive } from '../live.ts'
import { listChanges, type Change } from '../messages.ts'
import { Button } from '../ui/button.tsx'
import { Select } from '../ui/field.tsx'
import { formatInline } from '../ui/json.tsx'
import { Empty, Label, Note, Skeletons } from '../ui/parts.tsx'
import { useTitle } from '../use-title.ts'

/** So many lines are kept; a page of the API is as much. */
const SHOWN_MAX = 200
const EVERY_MS = 1000

interface Tailed {
  changes: readonly Change[]
  /** Changes that came too fast to be shown. */
  passed: number
}

const NOTHING: Tailed = { changes: [], passed: 0 }

/** The newest changes of a source as they come, the newest on top. */
export function Tail() {
  useTitle('Live tail')
  const { query: address } = useLocation()
  const { overview } = useLive()
  const [source, setSource] = useState(address['source'] ?? '')
  const [table, setTable] = useState('')
  const [isPaused, setIsPaused] = useState(false)
  const shownSource = source || (overview?.sources[0]?.name ?? '')
  const { tailed, error } = useTail(shownSource, table, isPaused)
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
            label="Source"
            hideLabel
            value={shownSource}
            options={overview.sources.map(({ name }) => [name, name] as const)}
            onChange={setSource}
          />
          <input
            class="input compact"
            type="search"
            data-search
            aria-label="Table"
            placeholder="Table: public.orders"
            value={table}
            onChange={(event) => setTable(event.currentTarget.value.trim())}
          />
          <Button icon={isPaused ? 'play' : 'pause'} onClick={() => setIsPaused(!isPaused)}>
            {isPaused ? 'Go on' : 'Pause'}
          </Button>
        </div>
      </div>
      {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
      <div class="card">
        {tailed.changes.length === 0 ? (
          <Empty title={isPaused ? 'Paused' : 'Waiting for a change'}>
            Change a row of a captured table, and it is here within a second.
          </Empty>
        ) : (
          <ol class="tail" aria-label="Changes">
            {tailed.changes.map((change) => (
              <TailLine key={change.seq} source={shownSource} change={change} />
            ))}
          </ol>
        )}
      </div>
      {tailed.passed > 0 && (
        <p class="hint">
          {formatCount(tailed.passed)} changes came too fast to be shown; the log has them all.
        </p>
      )}
    </div>
  )
}

function TailLine({ source, change }: { source: string; change: Change }) {
  return (
    <li>
      <time class="faint" dateTime={change.commit_timestamp}>
        {formatTime(change.commit_timestamp)}
      </time>
      <a class="mono" href={`/sources/${source}/changes/${change.seq}`}>
        {change.seq}
      </a>
      <span>
        <Label>{change.action}</Label> {change.table_name} <span class="mono">{change.key}</span>
      </span>
      <code class="muted">{formatInline(change.record)}</code>
    </li>
  )
}

/** Asks once a second for what is newer than the newest seen. */
function useTail(source: string, table: string, isPaused: boolean) {
  const [tailed, setTailed] = useState(NOTHING)
  const [error, setError] = useState<unknown>()
  const paused = useRef(isPaused)
  paused.current = isPaused
  useEffect(() => {
    setTailed(NOTHING)
    if (source === '') return
    const controller = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let newest: number | undefined
    const run = async (): Promise<void> => {
      if (!paused.current && !document.hidden) {
        try {
          const { data } = await listChanges(
            source,
            {
              limit: SHOWN_MAX,
              cursor: undefined,
              order: 'newest',
              ...(table === '' ? {} : { table: table.includes('.') ? table : `public.${table}` }),
            },
            controller.signal,
          )
          const fresh = data.filter(({ seq }) => newest === undefined || seq > newest)
          // A full page of news: there may be more between it and what was seen before.
          const isFull = newest !== undefined && fresh.length === SHOWN_MAX
          const between = isFull ? (fresh.at(-1)?.seq ?? 0) - (newest ?? 0) - 1 : 0
          newest = data[0]?.seq ?? newest
          if (fresh.length > 0) {
            setTailed((before) => ({
              changes: [...fresh, ...before.changes].slice(0, SHOWN_MAX),
              passed: before.passed + (table === '' ? between : 0),
            }))
          }
          setError(undefined)
        } catch (caught) {
          if (!controller.signal.aborted) setError(caught)
        }
      }
      if (!controller.signal.aborted) timer = setTimeout(() => void run(), EVERY_MS)
    }
    void run()
    return () => {
      controller.abort()
      clearTimeout(timer)
    }
  }, [source, table])
  return { tailed, error }
}

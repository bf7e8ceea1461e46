import { useEffect, useRef, useState } from 'preact/hooks'

import { followConsumer, listChanges, type Change } from '../messages.ts'

/** So many lines are kept. More than a screen, and little enough to be drawn anew every second. */
const SHOWN_MAX = 100
const EVERY_MS = 1000

export interface Tailed {
  /** The newest first. */
  changes: readonly Change[]
  /** Changes that came too fast to be shown. */
  passed: number
}

type Of =
  | { source: string; table: string }
  /** `head`: the newest seq of its source; undefined: not known yet. */
  | { consumer: string; head: number | undefined }

/** What came since the last time, the newest first, and how much was passed over. */
type Read = (signal: AbortSignal) => Promise<{ fresh: readonly Change[]; passed: number }>

const NOTHING: Tailed = { changes: [], passed: 0 }

/** Asks once a second for what is newer than the newest seen. */
export function useTail(of: Of, isPaused: boolean): { tailed: Tailed; error: unknown } {
  const [tailed, setTailed] = useState(NOTHING)
  const [error, setError] = useState<unknown>()
  const paused = useRef(isPaused)
  paused.current = isPaused
  const head = useRef<number | undefined>(undefined)
  head.current = 'consumer' in of ? of.head : undefined
  const key = 'consumer' in of ? `consumer ${of.consumer}` : `source ${of.source} ${of.table}`
  useEffect(() => {
    setTailed(NOTHING)
    setError(undefined)
    const name = 'consumer' in of ? of.consumer : of.source
    if (name === '') return
    const read =
      'consumer' in of ? readConsumer(of.consumer, head) : readSource(of.source, of.table)
    const controller = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const run = async (): Promise<void> => {
      if (!paused.current && !document.hidden) {
        try {
          const { fresh, passed } = await read(controller.signal)
          if (controller.signal.aborted) return
          if (fresh.length + passed > 0) {
            setTailed((before) => ({
              changes: [...fresh, ...before.changes].slice(0, SHOWN_MAX),
              passed: before.passed + passed,
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
  }, [key])
  return { tailed, error }
}

/** The newest page; what lies between it and the one before was passed over. */
function readSource(source: string, table: string): Read {
  let newest: number | undefined
  return async (signal) => {
    const { data } = await listChanges(
      source,
      {
        limit: SHOWN_MAX,
        cursor: undefined,
        order: 'newest',
        ...(table === '' ? {} : { table: table.includes('.') ? table : `public.${table}` }),
      },
      signal,
    )
    const before = newest
    newest = data[0]?.seq ?? newest
    if (before === undefined) return { fresh: data, passed: 0 }
    const fresh = data.filter(({ seq }) => seq > before)
    // Of one table alone it is not known how many of its changes lie between.
    const isFull = fresh.length === SHOWN_MAX && table === ''
    return { fresh, passed: isFull ? fresh.at(-1)!.seq - before - 1 : 0 }
  }
}

/** The API goes forward: when that gets behind, it begins again near the head. */
function readConsumer(consumer: string, head: { current: number | undefined }): Read {
  let after: number | 'latest' | undefined
  return async (signal) => {
    // Who is bound to some consumers is told nothing of sources, and begins with what is to come.
    const near = (): number | 'latest' =>
      head.current === undefined ? 'latest' : Math.max(0, head.current - SHOWN_MAX)
    after ??= near()
    const page = await followConsumer(consumer, { after, limit: SHOWN_MAX }, signal)
    const next = page.has_more ? near() : page.last_seq
    const passed = typeof next === 'number' ? Math.max(0, next - page.last_seq) : 0
    after = next === 'latest' ? next : Math.max(next, page.last_seq)
    return { fresh: page.data.toReversed(), passed }
  }
}

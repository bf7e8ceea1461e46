import { formatTime } from '../format.ts'

export interface Attempt {
  at: string
  attempt: number
  outcome: string
  reason?: string | undefined
  worker?: string | undefined
}

/** The outcomes that a queue writes down, in words. */
export const OUTCOMES: Record<string, { text: string; tone: 'ok' | 'warn' | 'bad' | 'accent' }> = {
  acked: { text: 'Acked', tone: 'ok' },
  nacked: { text: 'Given back', tone: 'warn' },
  expired: { text: 'Lease ran out', tone: 'warn' },
  given_back: { text: 'Not delivered after all', tone: 'accent' },
  dead: { text: 'Given up', tone: 'bad' },
  filter_failed: { text: 'The filter failed', tone: 'bad' },
  redriven: { text: 'Put up again by hand', tone: 'accent' },
  discarded: { text: 'Discarded by hand', tone: 'bad' },
}

export function Attempts({ history }: { history: readonly Attempt[] }) {
  if (history.length === 0) return <p class="muted">Nothing went wrong so far.</p>
  return (
    <ol class="attempts">
      {history.map(({ at, attempt, outcome, reason, worker }) => {
        const { text, tone } = OUTCOMES[outcome] ?? { text: outcome, tone: 'accent' }
        return (
          <li key={`${at} ${outcome}`}>
            <span class={`dot ${tone}`} aria-hidden="true" />
            <div class="row">
              <strong>{text}</strong>
              <span class="muted">attempt {attempt}</span>
              {worker && <span class="muted">by {worker}</span>}
              <time class="faint" dateTime={at}>
                {formatTime(at)}
              </time>
            </div>
            {reason && <p class="reason">{reason}</p>}
          </li>
        )
      })}
    </ol>
  )
}

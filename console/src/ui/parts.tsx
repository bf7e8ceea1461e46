import type { ComponentChildren } from 'preact'

import { explainError, isMissing } from '../api.ts'
import { formatAgo, formatTime } from '../format.ts'
import type { Query } from '../use-query.ts'
import { useNow } from '../use-now.ts'
import { Button } from './button.tsx'
import { Icon } from './icon.tsx'

export type Tone = 'ok' | 'warn' | 'bad' | 'busy' | 'accent' | 'plain'

export function Tag({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
  return (
    <span class={`tag ${tone}`}>
      <span class={`dot ${tone}`} aria-hidden="true" />
      {children}
    </span>
  )
}

export function Label({ children }: { children: ComponentChildren }) {
  return <span class="tag">{children}</span>
}

interface NoteProps {
  tone: 'bad' | 'warn' | 'ok'
  children: ComponentChildren
  action?: ComponentChildren
}

export function Note({ tone, children, action }: NoteProps) {
  return (
    <div class={`note ${tone}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={tone === 'ok' ? 'check' : 'alert'} />
      <div>{children}</div>
      {action}
    </div>
  )
}

interface EmptyProps {
  title: string
  children: ComponentChildren
  action?: ComponentChildren
}

/** Nothing here, and what to do about it. */
export function Empty({ title, children, action }: EmptyProps) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      <p>{children}</p>
      {action && <div class="row">{action}</div>}
    </div>
  )
}

export function Skeletons({ count = 4 }: { count?: number }) {
  return (
    <div class="skeletons" role="status" aria-label="Loading">
      {Array.from({ length: count }, (_, index) => (
        <div key={index} class="skeleton" style={{ width: `${92 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  )
}

interface LoadedProps<T> {
  query: Query<T>
  children: (data: T) => ComponentChildren
  skeletons?: number
}

/**
 * Loading, failed with a way to try again, or there. What was there stays when a later
 * answer fails, and says that it grows old.
 */
export function Loaded<T>({ query, children, skeletons }: LoadedProps<T>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error !== undefined && (
          <Note tone="warn">This is no longer up to date: {explainError(query.error)}</Note>
        )}
        {children(query.data)}
      </>
    )
  }
  if (isMissing(query.error)) {
    return (
      <Empty title={explainError(query.error)} action={<a href="/">Back to the overview</a>}>
        The address may be mistyped, or what it named was deleted.
      </Empty>
    )
  }
  if (query.error !== undefined) {
    return (
      <Note
        tone="bad"
        action={
          <Button small onClick={query.reload}>
            Try again
          </Button>
        }
      >
        {explainError(query.error)}
      </Note>
    )
  }
  return <Skeletons {...(skeletons === undefined ? {} : { count: skeletons })} />
}

/** "3 min ago", with the time itself behind it. */
export function Ago({ time }: { time: string }) {
  const now = useNow()
  return (
    <time dateTime={time} title={formatTime(time)} class="nowrap">
      {formatAgo(time, now)}
    </time>
  )
}

import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

import { formatPlural, formatRoughly } from '../format.ts'
import type { LiveConsumer, LiveSource } from '../live.ts'
import { Button } from '../ui/button.tsx'
import { Icon } from '../ui/icon.tsx'

/** Older than this a message waits too long, whatever the consumer. */
const AGE_MS_MAX = 5 * 60_000
/** A webhook that has taken nothing for so long does not merely hiccup. */
const PUSH_AGE_MS_MAX = 30_000
/** More than these would push away what they are about. */
const SHOWN_MAX = 5

interface Matter {
  key: string
  tone: 'bad' | 'warn'
  text: ComponentChildren
  href: string
  action: string
}

interface AttentionProps {
  consumers: readonly LiveConsumer[]
  sources: readonly LiveSource[]
}

/** What somebody should look at, the worst first. */
export function Attention({ consumers, sources }: AttentionProps) {
  const [showsAll, setShowsAll] = useState(false)
  const matters = [...sources.flatMap(judgeSource), ...consumers.flatMap(judgeConsumer)]
  matters.sort((a, b) => (a.tone === b.tone ? 0 : a.tone === 'bad' ? -1 : 1))
  if (matters.length === 0) return null
  const shown = showsAll ? matters : matters.slice(0, SHOWN_MAX)
  return (
    <section class="section" aria-labelledby="attention">
      <h2 id="attention">Needs attention</h2>
      <div class="attention card">
        {shown.map(({ key, tone, text, href, action }) => (
          <div key={key} class={`attention-row ${tone}`}>
            <Icon name="alert" />
            <div>{text}</div>
            <a class="button small" href={href}>
              {action}
            </a>
          </div>
        ))}
      </div>
      {matters.length > shown.length && (
        <div class="row">
          <Button small kind="quiet" onClick={() => setShowsAll(true)}>
            Show {matters.length - shown.length} more
          </Button>
        </div>
      )}
    </section>
  )
}

function judgeSource({ id, name, state, state_reason: reason }: LiveSource): Matter[] {
  if (state !== 'needs_attention' && state !== 'retrying') return []
  const text = (
    <>
      <strong>{name}</strong> {state === 'retrying' ? 'cannot be read at the moment' : 'needs you'}
      {reason ? `: ${reason}` : '.'}
    </>
  )
  const tone = state === 'retrying' ? 'warn' : 'bad'
  return [{ key: id, tone, text, href: `/sources/${name}/health`, action: 'Look' }]
}

function judgeConsumer(consumer: LiveConsumer): Matter[] {
  const { id, name, stats } = consumer
  const matters: Matter[] = []
  if (stats.dead > 0) {
    matters.push({
      key: `${id} dead`,
      tone: 'bad',
      text: (
        <>
          <strong>{name}</strong> has {formatPlural(stats.dead, 'dead letter')}.
        </>
      ),
      href: `/consumers/${name}/dead-letters`,
      action: 'Mend',
    })
  }
  const text = describeDelay(consumer)
  if (text) {
    const isRefused = refuses(consumer)
    matters.push({
      key: `${id} delay`,
      tone: 'warn',
      text,
      href: `/consumers/${name}${isRefused ? '?state=retrying' : ''}`,
      action: 'Look',
    })
  }
  return matters
}

/** A webhook that is tried, and takes nothing. */
function refuses({ mode, paused, stats }: LiveConsumer): boolean {
  return mode === 'push' && !paused && stats.retrying > 0 && stats.rates.acked === 0
}

/** Why its messages wait, if they wait too long. */
function describeDelay(consumer: LiveConsumer): ComponentChildren {
  const { name, mode, paused, stats } = consumer
  const age = stats.oldest_unacked_age_ms ?? 0
  if (refuses(consumer) && age > PUSH_AGE_MS_MAX) {
    return (
      <>
        The webhook of <strong>{name}</strong> takes nothing:{' '}
        {formatPlural(stats.retrying, 'message')} {stats.retrying === 1 ? 'is' : 'are'} tried again,
        the oldest for {formatRoughly(age)}.
      </>
    )
  }
  if (age <= AGE_MS_MAX) return null
  if (paused) {
    return (
      <>
        <strong>{name}</strong> is paused, and its oldest message has waited for{' '}
        {formatRoughly(age)}.
      </>
    )
  }
  const isIdle = mode === 'pull' && stats.waiters === 0 && stats.leased === 0
  return (
    <>
      The oldest message of <strong>{name}</strong> has waited for {formatRoughly(age)}
      {isIdle && ', and nobody receives'}.
    </>
  )
}

import type { LiveSource } from '../live.ts'
import { Code } from './code.tsx'
import { Note } from './parts.tsx'

/** Why a source is not read, and what mends it. */
export function SourceTrouble({ source, named }: { source: LiveSource; named?: boolean }) {
  const { name, state, state_reason: reason, state_remedy: remedy } = source
  if (state !== 'needs_attention' && state !== 'retrying') return null
  const what = state === 'retrying' ? 'cannot be read at the moment' : 'needs you'
  return (
    <Note tone={state === 'retrying' ? 'warn' : 'bad'}>
      <div class="stack">
        <p>
          <strong>{named ? `${name} ${what}` : `It ${what}`}</strong>
          {reason ? `: ${reason}` : '.'}
          {state === 'retrying' && ' It is tried again by itself; nothing is lost meanwhile.'}
        </p>
        {remedy && (
          <>
            <p class="small muted">What mends it:</p>
            <Code text={remedy} label={`What mends ${name}`} wrap />
          </>
        )}
      </div>
    </Note>
  )
}

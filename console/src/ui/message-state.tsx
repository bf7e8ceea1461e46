import type { PlaceState } from '../messages.ts'
import { Tag, type Tone } from './parts.tsx'

export const MESSAGE_STATES: Record<PlaceState, { tone: Tone; text: string; hint: string }> = {
  ahead: { tone: 'plain', text: 'Ahead', hint: 'not yet reached' },
  leased: { tone: 'accent', text: 'In flight', hint: 'a service works on it' },
  retrying: { tone: 'warn', text: 'Retrying', hint: 'comes again when it is due' },
  waiting: { tone: 'busy', text: 'Waiting', hint: 'an earlier change of its row is not settled' },
  dead: { tone: 'bad', text: 'Dead', hint: 'given up; redeliver or discard it' },
  acked: { tone: 'ok', text: 'Acked', hint: 'done' },
  before_start: { tone: 'plain', text: 'Before its start', hint: 'the consumer began after it' },
}

export function MessageStateTag({ state }: { state: PlaceState }) {
  const { tone, text, hint } = MESSAGE_STATES[state]
  return (
    <span title={hint}>
      <Tag tone={tone}>{text}</Tag>
    </span>
  )
}

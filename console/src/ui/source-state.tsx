import type { LiveSource } from '../live.ts'
import { Tag, type Tone } from './parts.tsx'

export const SOURCE_STATES: Record<LiveSource['state'], { tone: Tone; text: string }> = {
  starting: { tone: 'plain', text: 'Starting' },
  healthy: { tone: 'ok', text: 'Healthy' },
  retrying: { tone: 'warn', text: 'Retrying' },
  needs_attention: { tone: 'bad', text: 'Needs attention' },
  paused: { tone: 'plain', text: 'Paused' },
}

export function SourceState({ state }: { state: LiveSource['state'] }) {
  const { tone, text } = SOURCE_STATES[state]
  return <Tag tone={tone}>{text}</Tag>
}

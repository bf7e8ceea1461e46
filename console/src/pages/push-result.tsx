import type { client } from '../api.ts'
import { formatDuration } from '../format.ts'
import { Code } from '../ui/code.tsx'
import { Note } from '../ui/parts.tsx'

export type PushTest = Awaited<ReturnType<typeof client.consumers.testPush>>

/** What became of a sample. */
export function PushResult({ result }: { result: PushTest }) {
  const { success, status, latency_ms: latency, answer, failure } = result
  return (
    <div role="status" class="stack">
      <Note tone={success ? 'ok' : 'bad'}>
        <strong>
          {success ? 'It works' : 'It failed'}
          {status === null ? '' : `: ${status}`}
        </strong>{' '}
        after {formatDuration(latency)}
        {failure && <p>{failure.message}</p>}
      </Note>
      {answer !== null && answer !== '' && (
        <Code text={answer} label="The beginning of the answer" wrap />
      )}
    </div>
  )
}

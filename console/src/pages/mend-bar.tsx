import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatCount, formatPlural } from '../format.ts'
import {
  collectSeqs,
  discardBatch,
  MATCHES_MAX,
  redriveBatch,
  sizeOf,
  type Batch,
} from '../mend.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Check } from '../ui/field.tsx'
import { showToast } from '../ui/toast.tsx'
import { useQuery } from '../use-query.ts'
import { isFiltered, toQuery, type Filters } from './message-filters.tsx'

interface MendBarProps {
  consumer: string
  state: 'dead' | 'retrying'
  filters: Filters
  /** Seqs that were ticked; none: all that the list shows, on all its pages. */
  chosen: ReadonlySet<number>
  onDone: () => void
}

type What = 'redrive' | 'discard'

/** The two ways to mend what failed, for many at once. */
export function MendBar(props: MendBarProps) {
  const { filters, chosen, onDone } = props
  const [what, setWhat] = useState<What>()
  const whose =
    chosen.size > 0
      ? formatPlural(chosen.size, 'message')
      : isFiltered(filters)
        ? 'all that match'
        : 'all'
  return (
    <div class="row">
      <Button small icon="play" onClick={() => setWhat('redrive')}>
        Redeliver {whose}
      </Button>
      <Button small onClick={() => setWhat('discard')}>
        Discard {whose}
      </Button>
      {what && (
        <ConfirmMending {...props} what={what} onClose={() => setWhat(undefined)} onDone={onDone} />
      )}
    </div>
  )
}

interface ConfirmMendingProps extends MendBarProps {
  what: What
  onClose: () => void
}

function ConfirmMending(props: ConfirmMendingProps) {
  const { consumer, state, filters, chosen, what, onClose, onDone } = props
  const [skips, setSkips] = useState(false)
  // What is meant stands when it is asked about: what fails meanwhile is not among it.
  const query = useQuery('batch', async (signal): Promise<Batch> => {
    if (chosen.size > 0) return { seqs: [...chosen] }
    if (state === 'dead' && !isFiltered(filters)) {
      return { all: (await client.consumers.stats(consumer, { signal })).dead }
    }
    return { seqs: await collectSeqs(consumer, { state, ...toQuery(filters) }, signal) }
  })
  const batch = query.data
  const count = batch && sizeOf(batch)
  const messages = count === undefined ? 'messages' : formatPlural(count, 'message')
  const run = async (): Promise<void> => {
    if (!batch) return
    if (what === 'discard') {
      showToast(`${formatPlural(await discardBatch(consumer, batch), 'message')} discarded.`)
    } else {
      const { done, skipped } = await redriveBatch(consumer, batch, skips)
      const rest = skipped > 0 ? `, ${formatCount(skipped)} skipped` : ''
      showToast(`${formatPlural(done, 'message')} put up again${rest}.`)
    }
    onDone()
  }
  const verb = what === 'discard' ? 'Discard' : 'Redeliver'
  return (
    <Confirm
      title={`${verb} ${messages}?`}
      action={`${verb} ${messages}`}
      danger={what === 'discard'}
      disabled={!count}
      onConfirm={run}
      onClose={onClose}
    >
      {what === 'discard' ? (
        <p>
          {consumer} will not get {count === 1 ? 'it' : 'them'}. What is in the log stays there, for
          others and for a replay.
        </p>
      ) : (
        <>
          <p>
            {count === 1 ? 'It is' : 'They are'} delivered to {consumer} again, now.
          </p>
          <Check checked={skips} onChange={setSkips}>
            Skip those whose row has changed since
            <span class="hint"> – an old state could overwrite a newer one</span>
          </Check>
        </>
      )}
      {count === undefined && query.error === undefined && (
        <p class="hint" role="status">
          Counting …
        </p>
      )}
      {count === MATCHES_MAX && 'seqs' in batch! && (
        <p class="hint">These are the oldest {formatCount(MATCHES_MAX)}; there may be more.</p>
      )}
    </Confirm>
  )
}

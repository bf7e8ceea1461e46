import { useState } from 'preact/hooks'

import { formatCount, formatPlural } from '../format.ts'
import { readLogRange, seek, type Target } from '../messages.ts'
import { may, seesEverything } from '../session.ts'
import { Confirm } from '../ui/dialog.tsx'
import { Loaded } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import { useDebounced } from '../use-debounced.ts'
import { useQuery } from '../use-query.ts'
import { TargetField } from './target-field.tsx'

interface SeekDialogProps {
  consumer: { name: string; source: string }
  onClose: () => void
}

const SETTLE_MS = 250

/** Moves the cursor; says beforehand what that means. */
export function SeekDialog({ consumer: { name, source }, onClose }: SeekDialogProps) {
  const [target, setTarget] = useState<Target>('earliest')
  const range = useQuery(source, async (signal) =>
    may('read') && seesEverything() ? readLogRange(source, signal) : undefined,
  )
  // While the slider is moved nothing is counted: a count walks over the log.
  const settled = useDebounced(JSON.stringify(target), SETTLE_MS)
  const count = useQuery(settled, () => seek(name, JSON.parse(settled) as Target, true))
  const isCounted = settled === JSON.stringify(target) && count.data !== undefined
  const run = async (): Promise<void> => {
    const { would_redeliver: again, would_skip: skipped } = await seek(name, target, false)
    showToast(`Moved: ${formatCount(again)} come again, ${formatCount(skipped)} are skipped.`)
  }
  return (
    <Confirm
      title={`Move ${name}`}
      action="Move it"
      disabled={!isCounted}
      onConfirm={run}
      onClose={onClose}
    >
      <p class="muted">
        What lies before the place counts as acked, what lies behind it is delivered. Leases are
        lost, and retries are forgotten.
      </p>
      <TargetField legend="To" value={target} range={range.data} onChange={setTarget} />
      <Loaded query={count} skeletons={1}>
        {({ would_redeliver: again, would_skip: skipped }) => (
          <p role="status" class={isCounted ? '' : 'muted'}>
            <strong>{formatPlural(again, 'message')}</strong> will be delivered again,{' '}
            <strong>{formatCount(skipped)}</strong> not delivered at all.
          </p>
        )}
      </Loaded>
    </Confirm>
  )
}

import { useState } from 'preact/hooks'

import { formatCount, formatPlural } from '../format.ts'
import { seek, type Target } from '../messages.ts'
import { Confirm } from '../ui/dialog.tsx'
import { Loaded } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import { useQuery } from '../use-query.ts'
import { TargetField } from './target-field.tsx'

/** Moves the cursor; says beforehand what that means. */
export function SeekDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const [target, setTarget] = useState<Target>('earliest')
  const count = useQuery(JSON.stringify(target), () => seek(name, target, true))
  const run = async (): Promise<void> => {
    const { would_redeliver: again, would_skip: skipped } = await seek(name, target, false)
    showToast(`Moved: ${formatCount(again)} come again, ${formatCount(skipped)} are skipped.`)
  }
  return (
    <Confirm
      title={`Move ${name}`}
      action="Move it"
      disabled={count.data === undefined}
      onConfirm={run}
      onClose={onClose}
    >
      <p class="muted">
        What lies before the place counts as acked, what lies behind it is delivered. Leases are
        lost, and retries are forgotten.
      </p>
      <TargetField legend="To" value={target} onChange={setTarget} />
      <Loaded query={count} skeletons={1}>
        {({ would_redeliver: again, would_skip: skipped }) => (
          <p role="status">
            <strong>{formatPlural(again, 'message')}</strong> will be delivered again,{' '}
            <strong>{formatCount(skipped)}</strong> not delivered at all.
          </p>
        )}
      </Loaded>
    </Confirm>
  )
}

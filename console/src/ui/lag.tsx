import { formatBytes } from '../format.ts'
import type { LiveSource } from '../live.ts'

/** From here on it is worth a look: some seconds of a busy database. */
const MUCH_BYTES = 64 * 2 ** 20

/** How much the database has written that is not stored yet. */
export function Lag({ source: { lag_bytes: bytes } }: { source: LiveSource }) {
  if (bytes === null) return <span class="faint">–</span>
  return (
    <span class={bytes > MUCH_BYTES ? 'warn' : ''} title="WAL written and not stored yet">
      {formatBytes(bytes)}
    </span>
  )
}

import { useState } from 'preact/hooks'

import {
  listBackfills,
  stepBackfill,
  type Backfill,
  type BackfillOf,
  type BackfillStep,
} from '../backfills.ts'
import { formatCount, formatDuration, formatPlural, formatRate } from '../format.ts'
import { may } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Ago, Empty, Label, Loaded, Tag, type Tone } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { BackfillDialog } from './backfill-dialog.tsx'

const EVERY_MS = 1500

interface BackfillsProps {
  of: BackfillOf
  /** Of which tables one can be asked for. */
  tables: readonly string[]
}

/** Reading rows that exist already, with how far it is. */
export function Backfills({ of, tables }: BackfillsProps) {
  const [isStarting, setIsStarting] = useState(false)
  const [cancelling, setCancelling] = useState<Backfill>()
  const query = useQuery(JSON.stringify(of), (signal) => listBackfills(of, signal), {
    everyMs: EVERY_MS,
  })
  const mayAct = may('consumer' in of ? 'manage' : 'admin')
  const step = async (id: string, what: BackfillStep): Promise<void> => {
    await stepBackfill(of, id, what)
    query.reload()
  }
  const start = mayAct && (
    <Button icon="plus" onClick={() => setIsStarting(true)}>
      Read existing rows …
    </Button>
  )
  return (
    <section class="section" aria-label="Backfills">
      <div class="section-head">
        <span class="muted small">
          Rows that exist already, as messages with the action <code>read</code>.
        </span>
        {start}
      </div>
      <div class="card">
        <Loaded query={query}>
          {(backfills) =>
            backfills.length === 0 ? (
              <Empty title="No backfills">
                {'consumer' in of
                  ? 'It gets what changes from now on. A backfill brings the rows that are there already as well.'
                  : 'A backfill reads rows that exist already, for every consumer of their table.'}
              </Empty>
            ) : (
              <ul class="backfills">
                {backfills.map((backfill) => (
                  <BackfillItem
                    key={backfill.id}
                    backfill={backfill}
                    mayAct={mayAct}
                    onStep={(what) =>
                      what === 'cancel' ? setCancelling(backfill) : step(backfill.id, what)
                    }
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </div>
      {isStarting && (
        <BackfillDialog
          of={of}
          tables={tables}
          onClose={() => setIsStarting(false)}
          onStarted={query.reload}
        />
      )}
      {cancelling && (
        <Confirm
          title="Cancel the backfill?"
          action="Cancel it"
          danger
          onConfirm={() => step(cancelling.id, 'cancel')}
          onClose={() => setCancelling(undefined)}
        >
          <p>
            It cannot be resumed. The {formatPlural(cancelling.rows_read, 'row')} that were read are
            delivered all the same.
          </p>
        </Confirm>
      )}
    </section>
  )
}

const STATES: Record<Backfill['state'], { tone: Tone; text: string }> = {
  pending: { tone: 'plain', text: 'Waiting for its turn' },
  running: { tone: 'accent', text: 'Running' },
  paused: { tone: 'warn', text: 'Paused' },
  done: { tone: 'ok', text: 'Done' },
  cancelled: { tone: 'plain', text: 'Cancelled' },
  failed: { tone: 'bad', text: 'Failed' },
}

interface BackfillItemProps {
  backfill: Backfill
  mayAct: boolean
  onStep: (step: BackfillStep) => unknown
}

function BackfillItem({ backfill, mayAct, onStep }: BackfillItemProps) {
  const { state, table, consumer, where, from_key: fromKey, error } = backfill
  const { tone, text } = STATES[state]
  const isOpen = state === 'pending' || state === 'running'
  const canResume = state === 'paused' || state === 'failed'
  return (
    <li>
      <div class="row">
        <strong>{table ?? 'All its tables'}</strong>
        <Tag tone={tone}>{text}</Tag>
        {consumer && <Label>for {consumer}</Label>}
        <span class="faint small">
          <Ago time={backfill.created_at} />
        </span>
        {mayAct && (isOpen || canResume) && (
          <span class="row backfill-steps">
            {isOpen && (
              <Button small icon="pause" onClick={() => onStep('pause')}>
                Pause
              </Button>
            )}
            {canResume && (
              <Button small icon="play" onClick={() => onStep('resume')}>
                Resume
              </Button>
            )}
            <Button small kind="quiet" onClick={() => onStep('cancel')}>
              Cancel
            </Button>
          </span>
        )}
      </div>
      <Progress backfill={backfill} />
      {(where !== null || fromKey !== null) && (
        <p class="small muted">
          {where !== null && (
            <>
              Where <code>{where}</code>{' '}
            </>
          )}
          {fromKey !== null && (
            <>
              from key <code>{fromKey.join(', ')}</code> on
            </>
          )}
        </p>
      )}
      {error !== null && (
        <p class={`small ${state === 'failed' ? 'bad' : 'warn'}`} role="status">
          {error}
        </p>
      )}
    </li>
  )
}

function Progress({ backfill }: { backfill: Backfill }) {
  const { state, table, rows_scanned: scanned, rows_read: read } = backfill
  const { rows_estimated: estimated, rows_per_second: rate } = backfill
  const isDone = state === 'done'
  // The estimate is the database's and may be too small: the bar is full at the end alone.
  const share = isDone ? 1 : estimated ? Math.min(0.99, scanned / estimated) : undefined
  const rest = rate && estimated && estimated > scanned ? ((estimated - scanned) / rate) * 1000 : 0
  return (
    <>
      <progress
        class={`is-${state}`}
        aria-label={`Rows of ${table ?? 'its tables'} looked at`}
        max={1}
        {...(share === undefined ? (state === 'running' ? {} : { value: 0 }) : { value: share })}
      />
      <p class="small muted backfill-counts">
        <span>
          {formatCount(scanned)}
          {estimated !== null &&
            !isDone &&
            ` of about ${formatCount(Math.max(estimated, scanned))}`}{' '}
          rows looked at, {formatCount(read)} delivered
        </span>
        {state === 'running' && rate !== null && (
          <span>
            {formatRate(rate)}
            {rest > 0 && `, about ${formatDuration(rest)} to go`}
          </span>
        )}
      </p>
    </>
  )
}

import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { formatPlural } from '../format.ts'
import { useLive } from '../live.ts'
import { discard, listMessages, redrive } from '../messages.ts'
import { may } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Check } from '../ui/field.tsx'
import { Pager, usePages } from '../ui/pager.tsx'
import { Empty, Loaded } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import { useQuery } from '../use-query.ts'
import { MessageDrawer } from './message-drawer.tsx'
import { MessageFilters, NO_FILTERS, toQuery } from './message-filters.tsx'
import { MessageTable } from './message-table.tsx'

const PAGE = 50
const EVERY_MS = 3000

type Doing = { what: 'redrive' | 'discard'; which: 'all' | number[]; count: number }

/** What was given up, why, and the two ways to mend it. */
export function DeadLetters({ consumer }: { consumer: { name: string; source: string } }) {
  const { query: address, route, path } = useLocation()
  const { overview } = useLive()
  const [filters, setFilters] = useState(NO_FILTERS)
  const [chosen, setChosen] = useState(new Set<number>())
  const [doing, setDoing] = useState<Doing>()
  const key = `${consumer.name} ${JSON.stringify(filters)}`
  const pages = usePages(key)
  const messages = useQuery(
    `${key} ${pages.cursor ?? ''}`,
    (signal) =>
      listMessages(
        consumer.name,
        { state: 'dead', limit: PAGE, cursor: pages.cursor, ...toQuery(filters) },
        signal,
      ),
    { everyMs: EVERY_MS },
  )
  const seq = address['message'] === undefined ? undefined : Number(address['message'])
  const open = (next: number | undefined): void =>
    route(next === undefined ? path : `${path}?message=${next}`, true)
  const total = overview?.consumers.find(({ name }) => name === consumer.name)?.stats.dead ?? 0
  const start = (what: Doing['what']): void =>
    setDoing(
      chosen.size > 0
        ? { what, which: [...chosen], count: chosen.size }
        : { what, which: 'all', count: total },
    )
  return (
    <section class="section" aria-label="Dead letters">
      <div class="section-head">
        <MessageFilters filters={filters} onChange={setFilters} />
        {may('manage') && total > 0 && (
          <div class="row">
            <Button small icon="play" onClick={() => start('redrive')}>
              Redeliver {chosen.size > 0 ? formatPlural(chosen.size, 'message') : 'all'}
            </Button>
            <Button small onClick={() => start('discard')}>
              Discard {chosen.size > 0 ? formatPlural(chosen.size, 'message') : 'all'}
            </Button>
          </div>
        )}
      </div>
      <div class="card">
        <Loaded query={messages}>
          {({ data, next_cursor: nextCursor }) =>
            data.length === 0 ? (
              <Empty title="No dead letters">
                Here is what a service gave up, or failed with as often as the settings allow.
              </Empty>
            ) : (
              <>
                <MessageTable
                  messages={data}
                  open={seq}
                  onOpen={(message) => open(message.seq)}
                  {...(may('manage') ? { chosen, onChoose: setChosen } : {})}
                />
                <Pager pages={pages} nextCursor={nextCursor} />
              </>
            )
          }
        </Loaded>
      </div>
      {seq !== undefined && (
        <MessageDrawer
          consumer={consumer}
          seq={seq}
          onClose={() => open(undefined)}
          onChanged={messages.reload}
        />
      )}
      {doing && (
        <ConfirmMending
          consumer={consumer.name}
          doing={doing}
          onClose={() => setDoing(undefined)}
          onDone={() => {
            setChosen(new Set())
            messages.reload()
          }}
        />
      )}
    </section>
  )
}

interface ConfirmMendingProps {
  consumer: string
  doing: Doing
  onClose: () => void
  onDone: () => void
}

function ConfirmMending({ consumer, doing, onClose, onDone }: ConfirmMendingProps) {
  const { what, which, count } = doing
  const [skips, setSkips] = useState(false)
  const messages = formatPlural(count, 'message')
  const run = async (): Promise<void> => {
    if (what === 'discard') {
      const { discarded } = await discard(consumer, which)
      showToast(`${formatPlural(discarded, 'message')} discarded.`)
    } else {
      const { redriven, skipped, remaining } = await redrive(consumer, which, skips)
      showToast(
        `${formatPlural(redriven, 'message')} put up again${skipped > 0 ? `, ${skipped} skipped` : ''}${remaining > 0 ? `, ${remaining} still dead` : ''}.`,
      )
    }
    onDone()
  }
  if (what === 'discard') {
    return (
      <Confirm
        title={`Discard ${messages}?`}
        action={`Discard ${messages}`}
        danger
        onConfirm={run}
        onClose={onClose}
      >
        <p>
          {consumer} will not get them. The changes stay in the log, for others and for a replay.
        </p>
      </Confirm>
    )
  }
  return (
    <Confirm
      title={`Redeliver ${messages}?`}
      action={`Redeliver ${messages}`}
      onConfirm={run}
      onClose={onClose}
    >
      <p>They are delivered to {consumer} again, now.</p>
      <Check checked={skips} onChange={setSkips}>
        Skip those whose row has changed since
        <span class="hint"> – an old state could overwrite a newer one</span>
      </Check>
    </Confirm>
  )
}

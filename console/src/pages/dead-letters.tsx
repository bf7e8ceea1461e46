import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { useLive } from '../live.ts'
import { listMessages } from '../messages.ts'
import { may } from '../session.ts'
import { Pager, usePages } from '../ui/pager.tsx'
import { Empty, Loaded } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { MendBar } from './mend-bar.tsx'
import { MessageDrawer } from './message-drawer.tsx'
import { isFiltered, MessageFilters, NO_FILTERS, toQuery } from './message-filters.tsx'
import { MessageTable } from './message-table.tsx'

const PAGE = 50
const EVERY_MS = 3000

interface DeadLettersProps {
  consumer: { name: string; source: string; tables: readonly string[] }
}

/** What was given up, why, and the two ways to mend it. */
export function DeadLetters({ consumer }: DeadLettersProps) {
  const { query: address, route, path } = useLocation()
  const { overview } = useLive()
  const [filters, setFilters] = useState(NO_FILTERS)
  const [chosen, setChosen] = useState(new Set<number>())
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
  return (
    <section class="section" aria-label="Dead letters">
      <div class="section-head">
        <MessageFilters filters={filters} tables={consumer.tables} onChange={setFilters} />
        {may('manage') && total > 0 && (
          <MendBar
            consumer={consumer.name}
            state="dead"
            filters={filters}
            chosen={chosen}
            onDone={() => {
              setChosen(new Set())
              messages.reload()
            }}
          />
        )}
      </div>
      <div class="card">
        <Loaded query={messages}>
          {({ data, next_cursor: nextCursor }) =>
            data.length === 0 ? (
              isFiltered(filters) ? (
                <Empty title="None of these">No dead letter matches the filter.</Empty>
              ) : (
                <Empty title="No dead letters">
                  Here is what a service gave up, or failed with as often as the settings allow.
                </Empty>
              )
            ) : (
              <>
                <MessageTable
                  messages={data}
                  state="dead"
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
    </section>
  )
}

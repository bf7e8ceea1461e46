import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { useLive } from '../live.ts'
import { listMessages, type MessageState } from '../messages.ts'
import { may, seesEverything } from '../session.ts'
import { MESSAGE_STATES } from '../ui/message-state.tsx'
import { Pager, usePages } from '../ui/pager.tsx'
import { Empty, Loaded } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { MendBar } from './mend-bar.tsx'
import { MessageDrawer } from './message-drawer.tsx'
import { isFiltered, MessageFilters, NO_FILTERS, toQuery } from './message-filters.tsx'
import { MessageTable } from './message-table.tsx'

const STATES: MessageState[] = ['ahead', 'leased', 'retrying', 'waiting', 'dead', 'acked']
const PAGE = 50
const EVERY_MS = 3000

const EMPTY: Record<MessageState, { title: string; text: string }> = {
  ahead: { title: 'All caught up', text: 'Every selected change was handed out.' },
  leased: { title: 'Nothing in flight', text: 'No service holds a message at the moment.' },
  retrying: { title: 'Nothing to retry', text: 'No message failed and waits for its next try.' },
  waiting: { title: 'Nothing waits', text: 'No message waits for an earlier change of its row.' },
  dead: { title: 'No dead letters', text: 'Nothing was given up.' },
  acked: {
    title: 'None to show',
    text: 'What is acked at the first delivery is not kept one by one: find any change under its source.',
  },
}

interface MessagesProps {
  consumer: { name: string; source: string; tables: readonly string[] }
}

/** A consumer's messages by state, a page at a time. */
export function Messages({ consumer }: MessagesProps) {
  const { query: address, route, path } = useLocation()
  const { overview } = useLive()
  const state = STATES.find((each) => each === address['state']) ?? 'ahead'
  const [filters, setFilters] = useState(NO_FILTERS)
  const [chosen, setChosen] = useState(new Set<number>())
  const mendable = may('manage') && (state === 'retrying' || state === 'dead') ? state : undefined
  const stats = overview?.consumers.find(({ name }) => name === consumer.name)?.stats
  const total = mendable && (stats?.[mendable] ?? 0)
  const key = `${consumer.name} ${state} ${JSON.stringify(filters)}`
  const pages = usePages(key)
  const messages = useQuery(
    `${key} ${pages.cursor ?? ''}`,
    (signal) =>
      listMessages(
        consumer.name,
        { state, limit: PAGE, cursor: pages.cursor, ...toQuery(filters) },
        signal,
      ),
    { everyMs: EVERY_MS },
  )
  const seq = address['message'] === undefined ? undefined : Number(address['message'])
  const open = (next: number | undefined): void =>
    route(`${path}?state=${state}${next === undefined ? '' : `&message=${next}`}`, true)
  return (
    <section class="section" aria-label="Messages">
      <div class="section-head">
        <div class="segments" role="group" aria-label="State">
          {STATES.map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={each === state}
              onClick={() => {
                setChosen(new Set())
                route(`${path}?state=${each}`, true)
              }}
            >
              {MESSAGE_STATES[each].text}
            </button>
          ))}
        </div>
        <MessageFilters filters={filters} tables={consumer.tables} onChange={setFilters} />
        {mendable && total ? (
          <MendBar
            consumer={consumer.name}
            state={mendable}
            filters={filters}
            chosen={chosen}
            onDone={() => {
              setChosen(new Set())
              messages.reload()
            }}
          />
        ) : null}
      </div>
      <div class="card">
        <Loaded query={messages}>
          {({ data, next_cursor: nextCursor }) =>
            data.length === 0 ? (
              <Empty
                title={isFiltered(filters) ? 'None of these' : EMPTY[state].title}
                action={
                  seesEverything() && (
                    <a class="button" href={`/sources/${consumer.source}`}>
                      All changes of {consumer.source}
                    </a>
                  )
                }
              >
                {isFiltered(filters) ? 'No message matches the filter.' : EMPTY[state].text}
              </Empty>
            ) : (
              <>
                <MessageTable
                  messages={data}
                  state={state}
                  open={seq}
                  onOpen={(message) => open(message.seq)}
                  {...(mendable ? { chosen, onChoose: setChosen } : {})}
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

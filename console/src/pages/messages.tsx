import { useLocation } from 'preact-iso'
import { useState } from 'preact/hooks'

import { listMessages, type MessageState } from '../messages.ts'
import { seesEverything } from '../session.ts'
import { MESSAGE_STATES } from '../ui/message-state.tsx'
import { Pager, usePages } from '../ui/pager.tsx'
import { Empty, Loaded } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { MessageDrawer } from './message-drawer.tsx'
import { MessageFilters, NO_FILTERS, toQuery } from './message-filters.tsx'
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

export function Messages({ consumer }: { consumer: { name: string; source: string } }) {
  const { query: address, route, path } = useLocation()
  const state = STATES.find((each) => each === address['state']) ?? 'ahead'
  const [filters, setFilters] = useState(NO_FILTERS)
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
              onClick={() => route(`${path}?state=${each}`, true)}
            >
              {MESSAGE_STATES[each].text}
            </button>
          ))}
        </div>
        <MessageFilters filters={filters} onChange={setFilters} />
      </div>
      <div class="card">
        <Loaded query={messages}>
          {({ data, next_cursor: nextCursor }) =>
            data.length === 0 ? (
              <Empty
                title={EMPTY[state].title}
                action={
                  seesEverything() && (
                    <a class="button" href={`/sources/${consumer.source}`}>
                      All changes of {consumer.source}
                    </a>
                  )
                }
              >
                {EMPTY[state].text}
              </Empty>
            ) : (
              <>
                <MessageTable messages={data} open={seq} onOpen={(message) => open(message.seq)} />
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

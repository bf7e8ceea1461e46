import { useState } from 'preact/hooks'

import { useShortcuts } from '../keyboard.ts'
import type { Message, MessageState } from '../messages.ts'
import { Check } from '../ui/field.tsx'
import { formatInline } from '../ui/json.tsx'
import { Ago, Label } from '../ui/parts.tsx'

interface MessageTableProps {
  messages: readonly Message[]
  /** The one that all of them are in. */
  state: MessageState
  /** Seq of the message in the drawer. */
  open: number | undefined
  onOpen: (message: Message) => void
  /** Where rows can be chosen. */
  chosen?: ReadonlySet<number>
  onChoose?: (chosen: Set<number>) => void
}

/** When a message came to its state, or leaves it: what is of interest differs by state. */
const MOMENTS: Partial<
  Record<MessageState, { title: string; read: (message: Message) => string | null | undefined }>
> = {
  leased: { title: 'Lease ends', read: ({ lease_expires_at: at }) => at },
  retrying: { title: 'Next try', read: ({ visible_at: at }) => at },
  dead: { title: 'Dead since', read: ({ history }) => history.at(-1)?.at },
  acked: { title: 'Acked at', read: ({ history }) => history.at(-1)?.at },
}

/** One page of messages of one state; `j` and `k` go through it. */
export function MessageTable(props: MessageTableProps) {
  const { messages, state, open, onOpen, chosen, onChoose } = props
  const moment = MOMENTS[state]
  const [at, setAt] = useState(-1)
  const move = (by: number): void => {
    const next = Math.min(messages.length - 1, Math.max(0, at + by))
    setAt(next)
    const message = messages[next]
    if (message && open !== undefined) onOpen(message)
    document.querySelector(`[data-row="${next}"]`)?.scrollIntoView({ block: 'nearest' })
  }
  useShortcuts({
    j: () => move(1),
    k: () => move(-1),
    Enter: () => {
      const message = messages[at]
      if (message) onOpen(message)
    },
  })
  const choose = (seqs: readonly number[], isChosen: boolean): void => {
    const next = new Set(chosen)
    for (const seq of seqs) {
      if (isChosen) next.add(seq)
      else next.delete(seq)
    }
    onChoose?.(next)
  }
  return (
    <div class="table-wrap">
      <table class="table">
        <thead>
          <tr>
            {onChoose && (
              <th class="min">
                <Check
                  checked={messages.every(({ seq }) => chosen?.has(seq))}
                  onChange={(isChosen) =>
                    choose(
                      messages.map(({ seq }) => seq),
                      isChosen,
                    )
                  }
                >
                  <span class="sr-only">Choose all on this page</span>
                </Check>
              </th>
            )}
            <th>Change</th>
            <th>Key</th>
            {state !== 'ahead' && <th class="num wide-only">Attempt</th>}
            <th class="wide-only">Committed</th>
            {moment && <th class="wide-only">{moment.title}</th>}
            {state === 'leased' && <th>With</th>}
            <th>{messages.every(({ reason }) => reason !== null) ? 'Why' : 'Record'}</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((message, index) => {
            const { seq, attempt, action, key } = message
            const when = moment?.read(message)
            const isCurrent = seq === open || index === at
            return (
              <tr
                key={`${seq} ${message.replay}`}
                class={isCurrent ? 'link is-current' : 'link'}
                data-row={index}
                onClick={() => {
                  setAt(index)
                  onOpen(message)
                }}
              >
                {onChoose && (
                  <td class="min" onClick={(event) => event.stopPropagation()}>
                    <Check
                      checked={chosen?.has(seq) ?? false}
                      onChange={(isChosen) => choose([seq], isChosen)}
                    >
                      <span class="sr-only">Choose message {seq}</span>
                    </Check>
                  </td>
                )}
                <td class="nowrap">
                  <button type="button" class="plain mono">
                    {seq}
                  </button>{' '}
                  <Label>{action}</Label> <span class="muted">{message.table_name}</span>
                </td>
                <td class="mono nowrap">{key ?? '–'}</td>
                {state !== 'ahead' && <td class="num wide-only">{attempt || '–'}</td>}
                <td class="min muted wide-only">
                  <Ago time={message.commit_timestamp} />
                </td>
                {moment && <td class="min muted wide-only">{when ? <Ago time={when} /> : '–'}</td>}
                {state === 'leased' && <td class="nowrap muted">{message.worker ?? '–'}</td>}
                <td class="clip muted">{message.reason ?? formatInline(message.record)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

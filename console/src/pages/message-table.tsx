import { useState } from 'preact/hooks'

import { useShortcuts } from '../keyboard.ts'
import type { Message } from '../messages.ts'
import { Check } from '../ui/field.tsx'
import { formatInline } from '../ui/json.tsx'
import { MessageStateTag } from '../ui/message-state.tsx'
import { Ago, Label } from '../ui/parts.tsx'

interface MessageTableProps {
  messages: readonly Message[]
  /** Seq of the message in the drawer. */
  open: number | undefined
  onOpen: (message: Message) => void
  /** Where rows can be chosen. */
  chosen?: ReadonlySet<number>
  onChoose?: (chosen: Set<number>) => void
}

/** One page of messages; `j` and `k` go through it. */
export function MessageTable({ messages, open, onOpen, chosen, onChoose }: MessageTableProps) {
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
            <th>State</th>
            <th class="num">Attempt</th>
            <th>Committed</th>
            <th>{messages.every(({ reason }) => reason !== null) ? 'Why' : 'Record'}</th>
          </tr>
        </thead>
        <tbody>
          {messages.map((message, index) => {
            const { seq, state, attempt, action, key } = message
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
                <td class="min">
                  <MessageStateTag state={state} />
                </td>
                <td class="num">{attempt || '–'}</td>
                <td class="min muted">
                  <Ago time={message.commit_timestamp} />
                </td>
                <td class="clip muted">{message.reason ?? formatInline(message.record)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

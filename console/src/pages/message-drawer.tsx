import { formatTime } from '../format.ts'
import { discard, getMessage, redrive, type Delivery } from '../messages.ts'
import { may, seesEverything } from '../session.ts'
import { Attempts } from '../ui/attempts.tsx'
import { Button, CopyButton } from '../ui/button.tsx'
import { JsonCode } from '../ui/code.tsx'
import { Drawer } from '../ui/drawer.tsx'
import { MessageStateTag } from '../ui/message-state.tsx'
import { Loaded, Note } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import { useQuery } from '../use-query.ts'
import { metadataOf, Record } from './record.tsx'

const EVERY_MS = 3000

interface MessageDrawerProps {
  consumer: { name: string; source: string }
  seq: number
  onClose: () => void
  onChanged: () => void
}

export function MessageDrawer({ consumer, seq, onClose, onChanged }: MessageDrawerProps) {
  const query = useQuery(
    `${consumer.name} ${seq}`,
    (signal) => getMessage(consumer.name, seq, signal),
    { everyMs: EVERY_MS },
  )
  const act = async (run: () => Promise<unknown>, done: string): Promise<void> => {
    await run()
    showToast(done)
    query.reload()
    onChanged()
  }
  const delivery = query.data?.consumers[0]
  const state = delivery?.state
  const isMendable = may('manage') && (state === 'dead' || state === 'retrying')
  return (
    <Drawer
      title={`Message ${seq}`}
      head={state && <MessageStateTag state={state} />}
      onClose={onClose}
    >
      <Loaded query={query}>
        {(message) => (
          <>
            <div class="row">
              {isMendable && (
                <>
                  <Button
                    kind="primary"
                    small
                    icon="play"
                    onClick={() =>
                      act(() => redrive(consumer.name, [seq], false), 'It is delivered again, now.')
                    }
                  >
                    Redeliver
                  </Button>
                  <Button
                    small
                    onClick={() =>
                      act(() => discard(consumer.name, [seq]), 'It will not be delivered.')
                    }
                  >
                    Discard
                  </Button>
                </>
              )}
              {seesEverything() && (
                <a class="button small" href={`/sources/${consumer.source}/changes/${seq}`}>
                  Its way to every consumer
                </a>
              )}
              <CopyButton label="Copy as curl" text={() => toCurl(consumer.name, seq)} />
            </div>
            {delivery?.reason && (
              <Note tone={state === 'dead' ? 'bad' : 'warn'}>
                <strong>Why</strong>
                <p>{delivery.reason}</p>
              </Note>
            )}
            <Record message={message} />
            <section class="section">
              <h3>Attempts</h3>
              {delivery && <When delivery={delivery} />}
              <Attempts history={delivery?.history ?? []} />
            </section>
            <section class="section">
              <h3>Metadata</h3>
              <JsonCode value={metadataOf(message)} label="Metadata" />
            </section>
          </>
        )}
      </Loaded>
    </Drawer>
  )
}

function When({ delivery }: { delivery: Delivery }) {
  const { state, lease_expires_at: until, visible_at: due, worker } = delivery
  if (state === 'leased' && until) {
    return (
      <p>
        {worker ? <strong>{worker}</strong> : 'A service'} holds it until {formatTime(until)}.
      </p>
    )
  }
  if (state === 'retrying' && due) return <p>It comes again at {formatTime(due)}.</p>
  return null
}

function toCurl(consumer: string, seq: number): string {
  return `curl -s ${location.origin}/v1/consumers/${consumer}/messages/${seq} -H 'authorization: Bearer '"$MILLRACE_TOKEN"`
}

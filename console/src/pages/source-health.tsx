import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatBytes, formatPlural, formatTime } from '../format.ts'
import { may } from '../session.ts'
import { Button, CopyButton } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Ago, Loaded, Note } from '../ui/parts.tsx'
import { SourceState } from '../ui/source-state.tsx'
import { useQuery } from '../use-query.ts'

const HEALTH_MS = 5000

/** How its reader and its replication slot are, and what is missing. */
export function SourceHealth({ source }: { source: string }) {
  const query = useQuery(source, (signal) => client.sources.health(source, { signal }), {
    everyMs: HEALTH_MS,
  })
  const settings = useQuery(source, (signal) => client.sources.get(source, { signal }))
  const [isAccepting, setIsAccepting] = useState(false)
  return (
    <Loaded query={query}>
      {({ state, since, gaps, slot, ...health }) => (
        <div class="stack">
          {gaps.map((gap) => (
            <Note
              key={gap.from}
              tone={gap.accepted ? 'warn' : 'bad'}
              action={
                <div class="row">
                  <CopyButton label="Copy the LSNs" text={`${gap.from}..${gap.to}`} />
                  {may('admin') && !gap.accepted && (
                    <Button small onClick={() => setIsAccepting(true)}>
                      Go on behind it …
                    </Button>
                  )}
                </div>
              }
            >
              <strong>
                Changes are missing from <code>{gap.from}</code> to <code>{gap.to}</code>
              </strong>
              <p>
                {gap.reason} Noticed <Ago time={gap.at} />.
                {gap.accepted && ' Somebody said to go on behind it.'}
              </p>
            </Note>
          ))}
          {isAccepting && (
            <Confirm
              title="Go on behind the gap?"
              action="Go on"
              danger
              onConfirm={async () => {
                await client.sources.acceptGap(source)
                query.reload()
              }}
              onClose={() => setIsAccepting(false)}
            >
              <p>
                What was committed in between is not captured, now or later. A backfill brings the
                rows as they are today.
              </p>
            </Confirm>
          )}
          {health.undecodable > 0 && (
            <Note tone="warn">
              {formatPlural(health.undecodable, 'change')} could not be decoded and are kept aside.
              The rest went on.
            </Note>
          )}
          <div class="split thirds">
            <section class="card pad stack">
              <h2>Reader</h2>
              <dl class="facts">
                <dt>State</dt>
                <dd>
                  <SourceState state={state} />
                </dd>
                <dt>Since</dt>
                <dd>{formatTime(since)}</dd>
                <dt>Newest commit</dt>
                <dd>{health.last_commit_at ? <Ago time={health.last_commit_at} /> : 'none yet'}</dd>
                <dt>Confirmed</dt>
                <dd class="mono">{health.confirmed_lsn ?? 'nothing yet'}</dd>
              </dl>
            </section>
            <section class="card pad stack">
              <h2>Replication slot</h2>
              {slot ? (
                <dl class="facts">
                  <dt>In use</dt>
                  <dd>{slot.active ? 'yes' : 'no'}</dd>
                  <dt>WAL not confirmed</dt>
                  <dd>{formatBytes(slot.lag_bytes)}</dd>
                  <dt>WAL status</dt>
                  <dd>{slot.wal_status ?? 'unknown'}</dd>
                  <dt>Until it is lost</dt>
                  <dd>
                    {slot.safe_wal_size === null ? 'no limit' : formatBytes(slot.safe_wal_size)}
                  </dd>
                </dl>
              ) : (
                <p class="muted">The slot is gone, or the database did not answer.</p>
              )}
            </section>
            {settings.data && (
              <section class="card pad stack">
                <h2>Connection</h2>
                <dl class="facts">
                  <dt>Host</dt>
                  <dd>
                    {settings.data.host}:{settings.data.port}
                  </dd>
                  <dt>Database</dt>
                  <dd>{settings.data.database}</dd>
                  <dt>User</dt>
                  <dd>{settings.data.user}</dd>
                  <dt>TLS</dt>
                  <dd>{settings.data.ssl.mode}</dd>
                  <dt>Slot</dt>
                  <dd class="mono">{settings.data.slot}</dd>
                  <dt>Publication</dt>
                  <dd class="mono">{settings.data.publication}</dd>
                </dl>
              </section>
            )}
          </div>
        </div>
      )}
    </Loaded>
  )
}

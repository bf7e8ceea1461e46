import { useLocation, useRoute } from 'preact-iso'
import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatBytes, formatCount, formatPlural, formatTime } from '../format.ts'
import { useLive } from '../live.ts'
import { may } from '../session.ts'
import { Button, CopyButton } from '../ui/button.tsx'
import { Confirm } from '../ui/dialog.tsx'
import { Field } from '../ui/field.tsx'
import { Ago, Empty, Label, Loaded, Note } from '../ui/parts.tsx'
import { SourceState } from '../ui/source-state.tsx'
import { SourceTrouble } from '../ui/source-trouble.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'
import { Backfills } from './backfills.tsx'
import { Changes } from './changes.tsx'

const TABS = [
  ['', 'Changes'],
  ['health', 'Health'],
  ['tables', 'Tables'],
  ['backfills', 'Backfills'],
] as const

export function Source() {
  const { params } = useRoute()
  const name = params['source'] ?? ''
  const tab = params['tab'] ?? ''
  const { overview } = useLive()
  const { route } = useLocation()
  const [isDeleting, setIsDeleting] = useState(false)
  const query = useQuery(name, (signal) => client.sources.get(name, { signal }))
  useTitle(name)
  const live = overview?.sources.find((source) => source.name === name)
  const state = live?.state
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <nav class="crumbs" aria-label="Path">
            <a href="/sources">Sources</a> /
          </nav>
          <h1>
            {name} {state && <SourceState state={state} />}
          </h1>
          {query.data && (
            <p>
              {query.data.database} on {query.data.host}:{query.data.port}
            </p>
          )}
        </div>
        {may('admin') && query.data && (
          <Button kind="quiet" onClick={() => setIsDeleting(true)}>
            Delete
          </Button>
        )}
      </div>
      {live && <SourceTrouble source={live} />}
      <nav class="tabs" aria-label="Of this source">
        {TABS.map(([key, text]) => (
          <a
            key={key}
            href={`/sources/${name}${key && `/${key}`}`}
            aria-current={key === tab ? 'page' : undefined}
          >
            {text}
          </a>
        ))}
      </nav>
      <Loaded query={query}>
        {() => (
          <>
            {tab === '' && <Changes source={name} />}
            {tab === 'health' && <Health source={name} />}
            {tab === 'tables' && <Tables source={name} />}
            {tab === 'backfills' && <Backfills of={{ source: name }} tables={[]} />}
          </>
        )}
      </Loaded>
      {isDeleting && (
        <DeleteSource
          name={name}
          onClose={() => setIsDeleting(false)}
          onDeleted={() => route('/sources')}
        />
      )}
    </div>
  )
}

const HEALTH_MS = 5000

function Health({ source }: { source: string }) {
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
          <div class="split">
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

const TABLES_SHOWN_MAX = 200

function Tables({ source }: { source: string }) {
  const [search, setSearch] = useState('')
  const query = useQuery(source, (signal) => client.sources.tables(source, { signal }))
  return (
    <Loaded query={query}>
      {({ data }) => {
        const found = data.filter(({ schema, table }) => `${schema}.${table}`.includes(search))
        return (
          <div class="section">
            <div class="section-head">
              <span class="muted small">
                {formatCount(found.length)} of {formatCount(data.length)} tables
              </span>
              <input
                class="input compact"
                type="search"
                data-search
                aria-label="Search tables"
                placeholder="Search tables"
                value={search}
                onInput={(event) => setSearch(event.currentTarget.value)}
              />
            </div>
            <div class="card table-wrap">
              {found.length === 0 ? (
                <Empty title="No table">
                  {data.length === 0
                    ? 'The database has no tables yet.'
                    : 'No table has this in its name.'}
                </Empty>
              ) : (
                <table class="table">
                  <thead>
                    <tr>
                      <th>Table</th>
                      <th>Captured</th>
                      <th>Replica identity</th>
                      <th class="num">Columns</th>
                      <th class="num">Rows, about</th>
                    </tr>
                  </thead>
                  <tbody>
                    {found.slice(0, TABLES_SHOWN_MAX).map((table) => (
                      <tr key={`${table.schema}.${table.table}`}>
                        <td>
                          <span class="faint">{table.schema}.</span>
                          {table.table}
                        </td>
                        <td>{table.captured ? 'yes' : <span class="faint">no</span>}</td>
                        <td>
                          <Label>{table.replica_identity}</Label>
                        </td>
                        <td class="num">{table.columns.length}</td>
                        <td class="num">
                          {table.estimated_rows === null ? '–' : formatCount(table.estimated_rows)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
            </div>
            {found.length > TABLES_SHOWN_MAX && (
              <p class="hint">The first {TABLES_SHOWN_MAX} are shown; search for the others.</p>
            )}
          </div>
        )
      }}
    </Loaded>
  )
}

interface DeleteProps {
  name: string
  onClose: () => void
  onDeleted: () => void
}

function DeleteSource({ name, onClose, onDeleted }: DeleteProps) {
  const [typed, setTyped] = useState('')
  const remove = async (): Promise<void> => {
    await client.sources.delete(name)
    onDeleted()
  }
  return (
    <Confirm
      title={`Delete ${name}?`}
      action="Delete the source"
      danger
      disabled={typed !== name}
      onConfirm={remove}
      onClose={onClose}
    >
      <p>
        Its log goes, and its replication slot in the database is dropped. A source that has
        consumers is not deleted.
      </p>
      <Field label={`Type ${name} to confirm`} value={typed} onInput={setTyped} autofocus />
    </Confirm>
  )
}

import { listProcesses } from '../messages.ts'
import { may, seesEverything, useSession } from '../session.ts'
import { Ago, Label, Loaded, Tag } from '../ui/parts.tsx'
import { client } from '../api.ts'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'

const EVERY_MS = 5000

export function About() {
  useTitle('About')
  const session = useSession()
  const live = useQuery('live', async (signal) => (await client.api.GET('/livez', { signal })).data)
  const ready = useQuery(
    'ready',
    async (signal) => (await client.api.GET('/readyz', { signal })).data,
    { everyMs: EVERY_MS },
  )
  return (
    <div class="page narrow">
      <div class="page-head">
        <div>
          <h1>About</h1>
          <p>The process that answers this console, and what your token may do.</p>
        </div>
      </div>
      <section class="card pad stack">
        <h2>Server</h2>
        <Loaded query={live} skeletons={2}>
          {(data) => (
            <dl class="facts">
              <dt>Millrace</dt>
              <dd>{data?.version}</dd>
              <dt>Roles</dt>
              <dd class="row">
                {data?.roles.map((role) => (
                  <Label key={role}>{role}</Label>
                ))}
              </dd>
              <dt>Storage</dt>
              <dd>
                {ready.data?.checks.storage === 'ok' && <Tag tone="ok">Reachable and migrated</Tag>}
                {ready.error !== undefined && <Tag tone="bad">Not ready</Tag>}
              </dd>
            </dl>
          )}
        </Loaded>
      </section>
      {may('read') && seesEverything() && <Processes />}
      {session.status === 'in' && (
        <section class="card pad stack">
          <h2>You</h2>
          <dl class="facts">
            <dt>Scopes</dt>
            <dd class="row">
              {session.session.scopes.map((scope) => (
                <Label key={scope}>{scope}</Label>
              ))}
            </dd>
            <dt>Consumers</dt>
            <dd>
              {session.session.consumers === '*' ? 'all' : session.session.consumers.join(', ')}
            </dd>
          </dl>
        </section>
      )}
      <section class="card pad stack">
        <h2>For programs</h2>
        <dl class="facts">
          <dt>Reference</dt>
          <dd>
            <a href="/docs" target="_blank" rel="noreferrer">
              /docs
            </a>
          </dd>
          <dt>Description</dt>
          <dd>
            <a href="/openapi.yaml" target="_blank" rel="noreferrer">
              /openapi.yaml
            </a>
          </dd>
          {may('read') && (
            <>
              <dt>Metrics</dt>
              <dd>
                <code>/metrics</code>, for Prometheus with a token
              </dd>
            </>
          )}
        </dl>
      </section>
    </div>
  )
}

/** All server processes on the storage, and who of them does what. */
function Processes() {
  const query = useQuery('processes', listProcesses, { everyMs: EVERY_MS })
  return (
    <section class="section" aria-labelledby="processes">
      <h2 id="processes">Processes</h2>
      <div class="card table-wrap">
        <Loaded query={query} skeletons={2}>
          {({ data }) => (
            <table class="table">
              <thead>
                <tr>
                  <th>Host</th>
                  <th>Roles</th>
                  <th>Reads</th>
                  <th>Version</th>
                  <th class="num">Started</th>
                  <th class="num">Seen</th>
                </tr>
              </thead>
              <tbody>
                {data.map((each) => (
                  <tr key={each.id}>
                    <td title={each.id}>
                      {each.host} <span class="faint small">pid {each.pid}</span>
                    </td>
                    <td>
                      <span class="row">
                        {each.roles.map((role) => (
                          <Label key={role}>{role}</Label>
                        ))}
                      </span>
                    </td>
                    <td>{each.reads.join(', ') || <span class="faint">–</span>}</td>
                    <td>{each.version}</td>
                    <td class="num">
                      <Ago time={each.started_at} />
                    </td>
                    <td class="num">
                      <Ago time={each.seen_at} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
      </div>
    </section>
  )
}

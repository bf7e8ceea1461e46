import { may } from '../session.ts'
import { useSession } from '../session.ts'
import { Label, Loaded, Tag } from '../ui/parts.tsx'
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

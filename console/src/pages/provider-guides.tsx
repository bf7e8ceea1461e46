import { Code } from '../ui/code.tsx'

interface Guide {
  name: string
  steps: string[]
  sql?: string
}

const ROLE = `create role millrace with login replication password '…';
grant usage on schema public to millrace;
grant select on all tables in schema public to millrace;`

const GUIDES: readonly Guide[] = [
  {
    name: 'Your own server',
    steps: [
      'Set wal_level to logical and restart the server.',
      'Make a role that may replicate and read the tables.',
      'Let pg_hba.conf admit that role from where Millrace runs.',
    ],
    sql: `alter system set wal_level = 'logical';  -- then restart\n${ROLE}`,
  },
  {
    name: 'Amazon RDS and Aurora',
    steps: [
      'Set rds.logical_replication to 1 in a parameter group of your own, and reboot.',
      'Give the role rds_replication: the attribute REPLICATION is not for users there.',
      'Connect to the writer itself: RDS Proxy carries no replication.',
    ],
    sql: `create role millrace with login password '…';
grant rds_replication to millrace;
grant usage on schema public to millrace;
grant select on all tables in schema public to millrace;`,
  },
  {
    name: 'Google Cloud SQL',
    steps: [
      'Set the flag cloudsql.logical_decoding to on; the instance restarts.',
      'Make a role with the attribute REPLICATION.',
      'Connect to its address, or through the Cloud SQL Auth Proxy.',
    ],
    sql: ROLE,
  },
  {
    name: 'Azure Database for PostgreSQL',
    steps: [
      'Under Server parameters set wal_level to logical and max_worker_processes to 16 or more; save, and restart.',
      'Use the port 5432: the pooler on 6432 carries no replication.',
    ],
    sql: ROLE,
  },
  {
    name: 'Supabase',
    steps: [
      'WAL is logical already.',
      'Take the direct connection: its poolers carry no replication. It is reached over IPv6, or over IPv4 with the add-on.',
      'From Postgres 17 on a role of its own will do; before, connect as postgres.',
    ],
    sql: ROLE,
  },
  {
    name: 'Neon',
    steps: [
      'Enable logical replication in the project’s settings. Its computes restart, and it cannot be undone.',
      'Take the connection string without -pooler in its host name. Roles made in Neon’s console may replicate.',
      'Keep Millrace running: Neon drops a slot that nobody has read for about 40 hours. A compute that is read does not scale to zero.',
    ],
  },
]

/** How logical replication is switched on, by place. */
export function ProviderGuides() {
  return (
    <section class="section" aria-labelledby="guides">
      <h2 id="guides">Preparing the database</h2>
      <div class="card guides">
        {GUIDES.map(({ name, steps, sql }) => (
          <details key={name} name="guide">
            <summary>{name}</summary>
            <div class="stack">
              <ol class="steps">
                {steps.map((step) => (
                  <li key={step}>{step}</li>
                ))}
              </ol>
              {sql && <Code text={sql} label={`SQL for ${name}`} wrap />}
            </div>
          </details>
        ))}
      </div>
    </section>
  )
}

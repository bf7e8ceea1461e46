import { Code } from '../ui/code.tsx'

const GUIDES: { name: string; steps: string[]; sql?: string }[] = [
  {
    name: 'Your own server',
    steps: [
      'Set wal_level to logical and restart the server.',
      'Make a role that may replicate and read the tables.',
    ],
    sql: `alter system set wal_level = 'logical';  -- then restart
create role millrace with login replication password '…';
grant select on all tables in schema public to millrace;`,
  },
  {
    name: 'Amazon RDS and Aurora',
    steps: [
      'In the parameter group set rds.logical_replication to 1, and reboot.',
      'Give the role rds_replication; the attribute REPLICATION is not for users there.',
      'Connect to the writer, not to a proxy: RDS Proxy does not carry replication.',
    ],
    sql: `create role millrace with login password '…';
grant rds_replication to millrace;
grant select on all tables in schema public to millrace;`,
  },
  {
    name: 'Google Cloud SQL',
    steps: [
      'Set the flag cloudsql.logical_decoding to on; the instance restarts.',
      'Make a role with the attribute REPLICATION.',
    ],
    sql: `create role millrace with login replication password '…';
grant select on all tables in schema public to millrace;`,
  },
  {
    name: 'Azure Database for PostgreSQL',
    steps: [
      'Under Server parameters set wal_level to logical, save, and restart.',
      'Use the direct port 5432, not the pooler on 6432.',
    ],
    sql: `create role millrace with login replication password '…';
grant select on all tables in schema public to millrace;`,
  },
  {
    name: 'Supabase',
    steps: [
      'Logical WAL is on already.',
      'Use the direct connection string: poolers do not carry replication.',
    ],
  },
  {
    name: 'Neon',
    steps: [
      'In the project’s settings enable logical replication; this cannot be undone.',
      'Use the connection string without -pooler in its host name.',
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
          <details key={name}>
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

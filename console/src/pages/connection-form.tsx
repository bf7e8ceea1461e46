import type { client } from '../api.ts'
import { Field, Select } from '../ui/field.tsx'

/** What the API takes for a new source. */
export type SourceBody = Parameters<typeof client.sources.create>[0]

/** Which database, as the form has it. */
export interface ConnectionForm {
  way: 'url' | 'fields'
  url: string
  host: string
  port: string
  database: string
  user: string
  password: string
  ssl: 'verify-full' | 'verify-ca' | 'require' | 'prefer' | 'disable'
  name: string
  tables: string
}

export const CONNECTION_START: ConnectionForm = {
  way: 'url',
  url: '',
  host: '',
  port: '5432',
  database: '',
  user: '',
  password: '',
  ssl: 'verify-full',
  name: '',
  tables: '',
}

const SSL_MODES = [
  ['verify-full', 'Checked, with host name'],
  ['verify-ca', 'Checked'],
  ['require', 'Encrypted, unchecked'],
  ['prefer', 'Where offered'],
  ['disable', 'None'],
] as const

interface ConnectionFieldsProps {
  form: ConnectionForm
  faults: Record<string, string>
  onChange: (part: Partial<ConnectionForm>) => void
}

/** The parts of a connection, for those who have no connection string at hand. */
export function ConnectionFields({ form, faults, onChange }: ConnectionFieldsProps) {
  return (
    <>
      <div class="fields">
        <Field
          label="Host"
          value={form.host}
          onInput={(host) => onChange({ host: host.trim() })}
          error={faults['host']}
          placeholder="db.example.com"
        />
        <Field
          label="Port"
          type="number"
          value={form.port}
          onInput={(port) => onChange({ port })}
          error={faults['port']}
        />
        <Field
          label="Database"
          value={form.database}
          onInput={(database) => onChange({ database })}
          error={faults['database']}
        />
      </div>
      <div class="fields">
        <Field
          label="User"
          value={form.user}
          onInput={(user) => onChange({ user })}
          error={faults['user']}
        />
        <Field
          label="Password"
          type="password"
          value={form.password}
          onInput={(password) => onChange({ password })}
          error={faults['password']}
          autocomplete="new-password"
        />
        <Select
          label="TLS"
          value={form.ssl}
          options={SSL_MODES}
          onChange={(ssl) => onChange({ ssl: ssl as ConnectionForm['ssl'] })}
        />
      </div>
    </>
  )
}

/** Whether there is enough to try it. */
export function isFilled({ way, url, host, database }: ConnectionForm): boolean {
  return way === 'url' ? url !== '' : host !== '' && database !== ''
}

/** From the database's name, as far as a name may look like it. */
export function suggestName({ way, url, database }: ConnectionForm): string {
  const raw =
    way === 'url'
      ? (/^[^?#]*\/([^/?#]+)(?:[?#]|$)/.exec(url.replace('://', ' '))?.[1] ?? '')
      : database
  return decodeLoosely(raw)
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .slice(0, 63)
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** As the API takes it. */
export function toSourceBody(form: ConnectionForm, name: string): SourceBody {
  const tables = form.tables
    .split(',')
    .map((table) => table.trim())
    .filter(Boolean)
  return {
    name,
    ...(tables.length > 0 ? { tables } : {}),
    ...(form.way === 'url'
      ? { url: form.url }
      : {
          host: form.host,
          port: Number(form.port),
          database: form.database,
          user: form.user,
          password: form.password === '' ? null : form.password,
          ssl: { mode: form.ssl },
        }),
  }
}

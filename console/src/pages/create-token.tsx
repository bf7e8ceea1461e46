import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { useLive } from '../live.ts'
import type { Scope } from '../session.ts'
import { Confirm } from '../ui/dialog.tsx'
import { Check, Field, Select } from '../ui/field.tsx'

const SCOPES: { scope: Scope; text: string }[] = [
  { scope: 'consume', text: 'receive messages and settle them' },
  { scope: 'read', text: 'look at everything, deliver nothing' },
  { scope: 'manage', text: 'pause, seek, replay, redeliver, purge' },
  { scope: 'admin', text: 'create, change, delete; tokens' },
]

const DAY_MS = 86_400_000
const LIFETIMES = [
  ['', 'Never'],
  ['30', 'In 30 days'],
  ['90', 'In 90 days'],
  ['365', 'In a year'],
] as const

interface CreateTokenProps {
  onClose: () => void
  onCreated: (text: string) => void
}

/** What a new token may do, with whom, and for how long. */
export function CreateToken({ onClose, onCreated }: CreateTokenProps) {
  const { overview } = useLive()
  const [name, setName] = useState('')
  const [scopes, setScopes] = useState<Scope[]>(['consume'])
  const [consumer, setConsumer] = useState('*')
  const [days, setDays] = useState('')
  const create = async (): Promise<void> => {
    const { token } = await client.tokens.create({
      name,
      scopes,
      consumers: consumer === '*' ? '*' : [consumer],
      expires_at: days === '' ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString(),
    })
    onCreated(token)
  }
  return (
    <Confirm
      title="Make a token"
      action="Make it"
      disabled={name.trim() === '' || scopes.length === 0}
      onConfirm={create}
      onClose={onClose}
    >
      <Field
        label="Name"
        value={name}
        onInput={setName}
        placeholder="shipping, production"
        autofocus
      />
      <fieldset class="field">
        <legend>It may</legend>
        {SCOPES.map(({ scope, text }) => (
          <Check
            key={scope}
            checked={scopes.includes(scope)}
            onChange={(checked) =>
              setScopes(checked ? [...scopes, scope] : scopes.filter((each) => each !== scope))
            }
          >
            <strong>{scope}</strong> <span class="muted">{text}</span>
          </Check>
        ))}
      </fieldset>
      <div class="fields">
        <Select
          label="Consumers"
          value={consumer}
          onChange={setConsumer}
          options={[
            ['*', 'All, and everything else'],
            ...(overview?.consumers ?? []).map(
              ({ name: each }) => [each, `Only ${each}`] as [string, string],
            ),
          ]}
        />
        <Select label="It ends" value={days} onChange={setDays} options={LIFETIMES} />
      </div>
    </Confirm>
  )
}

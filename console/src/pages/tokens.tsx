import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatTime } from '../format.ts'
import { useLive } from '../live.ts'
import type { Scope } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/code.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Check, Field, Select } from '../ui/field.tsx'
import { Pager, usePages } from '../ui/pager.tsx'
import { Ago, Empty, Label, Loaded, Note, Tag } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'

const PAGE = 25

type Token = Awaited<ReturnType<typeof client.tokens.list>>['data'][number]

export function Tokens() {
  useTitle('Tokens')
  const pages = usePages('tokens')
  const [isCreating, setIsCreating] = useState(false)
  const [made, setMade] = useState('')
  const [revoking, setRevoking] = useState<Token>()
  const query = useQuery(pages.cursor ?? '', (signal) =>
    client.tokens.list(
      { limit: PAGE, ...(pages.cursor === undefined ? {} : { cursor: pages.cursor }) },
      { signal },
    ),
  )
  const create = (
    <Button kind="primary" icon="plus" onClick={() => setIsCreating(true)}>
      Make a token
    </Button>
  )
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>Tokens</h1>
          <p>What services and people sign in with. Only a hash is kept.</p>
        </div>
        {create}
      </div>
      <div class="card">
        <Loaded query={query}>
          {({ data, next_cursor: nextCursor }) =>
            data.length === 0 ? (
              <Empty title="No tokens yet" action={create}>
                Give each service one of its own, with the scope <code>consume</code>, bound to its
                consumer.
              </Empty>
            ) : (
              <>
                <div class="table-wrap">
                  <table class="table">
                    <thead>
                      <tr>
                        <th>Name</th>
                        <th>Scopes</th>
                        <th>Consumers</th>
                        <th>Last used</th>
                        <th>Ends</th>
                        <th>
                          <span class="sr-only">Actions</span>
                        </th>
                      </tr>
                    </thead>
                    <tbody>
                      {data.map((token) => (
                        <TokenRow
                          key={token.id}
                          token={token}
                          onRevoke={() => setRevoking(token)}
                        />
                      ))}
                    </tbody>
                  </table>
                </div>
                <Pager pages={pages} nextCursor={nextCursor} />
              </>
            )
          }
        </Loaded>
      </div>
      {isCreating && (
        <CreateToken
          onClose={() => setIsCreating(false)}
          onCreated={(text) => {
            setIsCreating(false)
            setMade(text)
            query.reload()
          }}
        />
      )}
      {made !== '' && (
        <Dialog title="Your token" wide onClose={() => setMade('')}>
          <Note tone="warn">Copy it now: it is shown this once and kept nowhere.</Note>
          <Code text={made} label="The token" wrap />
          <div class="dialog-foot">
            <Button kind="primary" onClick={() => setMade('')}>
              I have it
            </Button>
          </div>
        </Dialog>
      )}
      {revoking && (
        <Confirm
          title={`Revoke ${revoking.name}?`}
          action="Revoke"
          danger
          onConfirm={async () => {
            await client.tokens.delete(revoking.id)
            query.reload()
          }}
          onClose={() => setRevoking(undefined)}
        >
          <p>Whoever uses it is refused within two seconds. This cannot be undone.</p>
        </Confirm>
      )}
    </div>
  )
}

function TokenRow({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  const isOver = token.expires_at !== null && Date.parse(token.expires_at) < Date.now()
  return (
    <tr>
      <td>{token.name}</td>
      <td>
        <span class="row">
          {token.scopes.map((scope) => (
            <Label key={scope}>{scope}</Label>
          ))}
        </span>
      </td>
      <td>{token.consumers === '*' ? 'all' : token.consumers.join(', ')}</td>
      <td>
        {token.last_used_at ? <Ago time={token.last_used_at} /> : <span class="faint">never</span>}
      </td>
      <td class="nowrap">
        {token.revoked_at ? (
          <Tag tone="bad">Revoked</Tag>
        ) : isOver ? (
          <Tag>Expired</Tag>
        ) : token.expires_at ? (
          formatTime(token.expires_at)
        ) : (
          <span class="faint">never</span>
        )}
      </td>
      <td class="min">
        {!token.revoked_at && !isOver && (
          <Button small kind="quiet" onClick={onRevoke}>
            Revoke
          </Button>
        )}
      </td>
    </tr>
  )
}

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

function CreateToken({
  onClose,
  onCreated,
}: {
  onClose: () => void
  onCreated: (text: string) => void
}) {
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

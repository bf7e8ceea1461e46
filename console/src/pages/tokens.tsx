import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatTime } from '../format.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/code.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Pager, usePages } from '../ui/pager.tsx'
import { Ago, Empty, Label, Loaded, Note, Tag } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'
import { CreateToken } from './create-token.tsx'

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

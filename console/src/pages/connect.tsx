import { useLocation } from 'preact-iso'
import { useEffect, useRef, useState } from 'preact/hooks'

import { client, explainError, faultsOf } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { Note } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import { useTitle } from '../use-title.ts'
import { Checks, type Check } from './checks.tsx'
import {
  CONNECTION_START,
  ConnectionFields,
  isFilled,
  suggestName,
  toSourceBody,
  type ConnectionForm,
} from './connection-form.tsx'
import { ProviderGuides } from './provider-guides.tsx'

/** While somebody mends what failed it is looked at again and again. */
const RECHECK_MS = 4000

/** Paste, check, mend, connect. */
export function Connect() {
  useTitle('Connect a database')
  const { route } = useLocation()
  const [form, setForm] = useState(CONNECTION_START)
  const [checks, setChecks] = useState<readonly Check[]>()
  const [isChecking, setIsChecking] = useState(false)
  const [isConnecting, setIsConnecting] = useState(false)
  const [error, setError] = useState<unknown>()
  /** Of the newest check; what an older one finds is about another database. */
  const turn = useRef(0)
  const faults = faultsOf(error)
  const name = form.name || suggestName(form)
  const change = (part: Partial<ConnectionForm>): void => {
    setForm({ ...form, ...part })
    setError(undefined)
    if ('name' in part) return
    turn.current += 1
    setChecks(undefined)
    setIsChecking(false)
  }
  const check = async (): Promise<void> => {
    const mine = ++turn.current
    setError(undefined)
    setIsChecking(true)
    try {
      const found = await client.sources.test(toSourceBody(form, name))
      if (mine === turn.current) setChecks(found.checks)
    } catch (caught) {
      if (mine === turn.current) setError(caught)
    }
    if (mine === turn.current) setIsChecking(false)
  }
  const connect = async (): Promise<void> => {
    setError(undefined)
    setIsConnecting(true)
    try {
      await client.sources.create(toSourceBody(form, name))
      showToast(`${name} is connected.`)
      route(`/sources/${name}`)
    } catch (caught) {
      setError(caught)
      setIsConnecting(false)
    }
  }
  const isReady = checks !== undefined && checks.every(({ status }) => status !== 'fail')
  const hasFailed = checks !== undefined && !isReady && error === undefined
  useEffect(() => {
    if (!hasFailed || isChecking) return
    const timer = setTimeout(() => {
      // Nobody mends anything while nobody looks; the next turn comes all the same.
      if (!document.hidden) void check()
      else setChecks((before) => before && [...before])
    }, RECHECK_MS)
    return () => clearTimeout(timer)
  }, [hasFailed, isChecking, checks])
  // Leaving the page ends the last one.
  useEffect(() => () => void (turn.current += 1), [])
  return (
    <div class="page narrow">
      <div class="page-head">
        <div>
          <nav class="crumbs" aria-label="Path">
            <a href="/sources">Sources</a> /
          </nav>
          <h1>Connect a database</h1>
          <p>Everything is checked first. Nothing is made before you say so.</p>
        </div>
      </div>
      <form
        class="form-section"
        aria-label="Database"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (isFilled(form)) void (isReady ? connect() : check())
        }}
      >
        <div class="section-head">
          <h2>Which database</h2>
          <div class="segments" role="group" aria-label="How to say it">
            <button
              type="button"
              aria-pressed={form.way === 'url'}
              onClick={() => change({ way: 'url' })}
            >
              Connection string
            </button>
            <button
              type="button"
              aria-pressed={form.way === 'fields'}
              onClick={() => change({ way: 'fields' })}
            >
              Fields
            </button>
          </div>
        </div>
        {form.way === 'url' ? (
          <Field
            label="Connection string"
            value={form.url}
            onInput={(url) => change({ url: url.trim() })}
            error={faults['url']}
            placeholder="postgres://user:password@host:5432/database"
            hint="With a role that may replicate. The password is encrypted before it is stored."
            autofocus
            mono
          />
        ) : (
          <ConnectionFields form={form} faults={faults} onChange={change} />
        )}
        <div class="fields">
          <Field
            label="Name"
            value={form.name}
            onInput={(text) => change({ name: text })}
            error={faults['name']}
            placeholder={suggestName(form) || 'shop'}
            hint="How it is called here."
          />
          <Field
            label="Tables"
            value={form.tables}
            onInput={(tables) => change({ tables })}
            error={faults['tables']}
            placeholder="all"
            hint="Separated by commas, as schema.table. Empty: all."
          />
        </div>
        <div class="row">
          {isReady && (
            <Button type="submit" kind="primary" busy={isConnecting}>
              Connect {name}
            </Button>
          )}
          {checks ? (
            <Button kind={isReady ? 'quiet' : 'primary'} onClick={check}>
              Check again
            </Button>
          ) : (
            <Button type="submit" kind="primary" disabled={!isFilled(form)} busy={isChecking}>
              Check
            </Button>
          )}
        </div>
        {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
      </form>
      {(checks || isChecking) && <Checks checks={checks} isChecking={isChecking} />}
      <ProviderGuides />
    </div>
  )
}

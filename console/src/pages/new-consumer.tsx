import { useLocation } from 'preact-iso'
import { useMemo, useState } from 'preact/hooks'

import { client, explainError, faultsOf } from '../api.ts'
import { makeConsumeToken } from '../fresh-tokens.ts'
import { useLive } from '../live.ts'
import { seesEverything } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Choices, Field, Select } from '../ui/field.tsx'
import { Empty, Note, Skeletons } from '../ui/parts.tsx'
import { useTitle } from '../use-title.ts'
import { PushFields, PUSH_START, toPush, type PushForm } from './push-fields.tsx'
import { SecretDialog } from './push-tools.tsx'
import { WebhookTest } from './webhook-test.tsx'
import {
  ALL_ACTIONS,
  SelectionFields,
  toSelection,
  type SelectionForm,
} from './selection-fields.tsx'

type Body = Parameters<typeof client.consumers.create>[0]

interface Form {
  name: string
  source: string
  selection: SelectionForm
  mode: 'pull' | 'push'
  push: PushForm
  kind: 'changes' | 'rows'
  start: 'now' | 'earliest' | 'time' | 'backfill'
  time: string
}

const START: Form = {
  name: '',
  source: '',
  selection: {
    tables: [],
    actions: [...ALL_ACTIONS],
    filter: '',
    columns: 'all',
    columnNames: '',
    ordering: 'group',
    groupBy: '',
  },
  mode: 'pull',
  push: PUSH_START,
  kind: 'changes',
  start: 'now',
  time: '',
}

const STARTS = [
  ['now', 'With the next change'],
  ['earliest', 'With the oldest change in the log'],
  ['time', 'With a moment of the past'],
  ['backfill', 'With the rows that exist, then changes'],
] as const

export function NewConsumer() {
  useTitle('Create a consumer')
  const { route, query } = useLocation()
  const { overview } = useLive()
  const [form, setForm] = useState<Form>({ ...START, source: query['source'] ?? '' })
  const [error, setError] = useState<unknown>()
  const [secret, setSecret] = useState<string>()
  const source = form.source || (overview?.sources[0]?.name ?? '')
  const faults = faultsOf(error)
  const change = (part: Partial<Form>): void => {
    setForm((before) => ({ ...before, ...part }))
    setError(undefined)
  }
  const body = useMemo(() => toBody(form, source), [form, source])
  const create = async (): Promise<void> => {
    setError(undefined)
    try {
      const { push_secret: made } = await client.consumers.create(body)
      if (form.mode === 'pull' && seesEverything()) {
        // Its snippets are to work as they are; without a token they are shown all the same.
        await makeConsumeToken(form.name).catch(() => undefined)
      }
      if (made === undefined) route(`/consumers/${form.name}/use`)
      else setSecret(made)
    } catch (caught) {
      setError(caught)
    }
  }
  if (!overview) return <Skeletons />
  if (overview.sources.length === 0) {
    return (
      <Empty
        title="Connect a database first"
        action={
          <a class="button primary" href="/sources/new">
            Connect a database
          </a>
        }
      >
        A consumer hands out the changes of a database’s tables.
      </Empty>
    )
  }
  const missing = listMissing(form)
  return (
    <div class="page narrow">
      <div class="page-head">
        <div>
          <h1>Create a consumer</h1>
          <p>A queue of its own for one service: every change it selects, until acked.</p>
        </div>
      </div>
      <section class="form-section" aria-label="Name and source">
        <div class="fields">
          <Field
            label="Name"
            value={form.name}
            onInput={(name) => change({ name })}
            error={faults['name']}
            placeholder="inventory"
            hint="Usually that of the service."
            autofocus
          />
          <Select
            label="Source"
            value={source}
            options={overview.sources.map(({ name }) => [name, name] as const)}
            onChange={(next) =>
              change({ source: next, selection: { ...form.selection, tables: [] } })
            }
          />
        </div>
      </section>
      <section class="form-section" aria-label="What it selects">
        <h2>What it gets</h2>
        <Choices
          legend="Kind"
          name="kind"
          value={form.kind}
          onChange={(kind) => change({ kind })}
          options={[
            { value: 'changes', title: 'Changes', text: 'Every insert, update and delete.' },
            {
              value: 'rows',
              title: 'Rows',
              text: 'The latest state of each row, those that exist first. For caches and indexes.',
            },
          ]}
        />
        <SelectionFields
          source={source}
          form={form.selection}
          faults={faults}
          onChange={(part) => change({ selection: { ...form.selection, ...part } })}
        />
      </section>
      <section class="form-section" aria-label="How it is delivered">
        <h2>How it gets them</h2>
        <Choices
          legend="Delivery"
          name="mode"
          value={form.mode}
          onChange={(mode) => change({ mode })}
          options={[
            { value: 'pull', title: 'Pull', text: 'The service receives and acks over HTTP.' },
            { value: 'push', title: 'Push', text: 'Messages are POSTed to an address of yours.' },
          ]}
        />
        {form.mode === 'push' && (
          <>
            <PushFields
              form={form.push}
              faults={faults}
              onChange={(part) => change({ push: { ...form.push, ...part } })}
            />
            <WebhookTest form={form.push} />
          </>
        )}
        <div class="fields">
          <Select
            label="It begins"
            value={form.kind === 'rows' ? 'backfill' : form.start}
            options={form.kind === 'rows' ? STARTS.slice(-1) : STARTS}
            onChange={(start) => change({ start: start as Form['start'] })}
          />
          {form.kind === 'changes' && form.start === 'time' && (
            <Field
              label="From"
              type="datetime-local"
              value={form.time}
              onInput={(time) => change({ time })}
              error={faults['start_from']}
            />
          )}
        </div>
      </section>
      {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
      <div class="row">
        <Button kind="primary" disabled={missing.length > 0} onClick={create}>
          Create {form.name || 'the consumer'}
        </Button>
        {missing.length > 0 && <span class="hint">Still to be given: {missing.join(', ')}.</span>}
      </div>
      {secret !== undefined && (
        <SecretDialog secret={secret} onClose={() => route(`/consumers/${form.name}/use`)} />
      )}
    </div>
  )
}

/** What has no default, in the order of the form. */
function listMissing({ name, selection, mode, push }: Form): string[] {
  return [
    ...(name === '' ? ['a name'] : []),
    ...(selection.tables.length === 0 ? ['its tables'] : []),
    ...(selection.actions.length === 0 ? ['an action'] : []),
    ...(mode === 'push' && push.url === '' ? ['a URL'] : []),
  ]
}

function toBody(form: Form, source: string): Body {
  return {
    name: form.name,
    source,
    ...toSelection(form.selection),
    mode: form.mode,
    ...(form.mode === 'push' ? { push: toPush(form.push) } : {}),
    kind: form.kind,
    start_from: startFrom(form),
  }
}

function startFrom({ kind, start, time }: Form): string {
  if (kind === 'rows') return 'backfill'
  if (start !== 'time') return start
  return time === '' ? 'now' : new Date(time).toISOString()
}

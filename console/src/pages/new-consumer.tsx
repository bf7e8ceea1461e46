import { useLocation } from 'preact-iso'
import { useMemo, useState } from 'preact/hooks'

import { client, explainError, faultsOf } from '../api.ts'
import { useLive } from '../live.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/code.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Check, Choices, Field, Select } from '../ui/field.tsx'
import { Empty, Note, Skeletons } from '../ui/parts.tsx'
import { useQuery } from '../use-query.ts'
import { useTitle } from '../use-title.ts'
import { readHeaders } from './read-headers.ts'
import { TablePicker } from './table-picker.tsx'

type Body = Parameters<typeof client.consumers.create>[0]
type Action = 'insert' | 'update' | 'delete'

interface Form {
  name: string
  source: string
  tables: string[]
  actions: Action[]
  filter: string
  ordering: 'group' | 'none'
  mode: 'pull' | 'push'
  url: string
  headers: string
  start: 'now' | 'earliest' | 'time'
  time: string
}

const START: Form = {
  name: '',
  source: '',
  tables: [],
  actions: ['insert', 'update', 'delete'],
  filter: '',
  ordering: 'group',
  mode: 'pull',
  url: '',
  headers: '',
  start: 'now',
  time: '',
}

const ACTIONS: { action: Action; text: string }[] = [
  { action: 'insert', text: 'Inserts' },
  { action: 'update', text: 'Updates' },
  { action: 'delete', text: 'Deletes' },
]

const STARTS = [
  ['now', 'With the next change'],
  ['earliest', 'With the oldest change in the log'],
  ['time', 'With a moment of the past'],
] as const

export function NewConsumer() {
  useTitle('Create a consumer')
  const { route, query } = useLocation()
  const { overview } = useLive()
  const [form, setForm] = useState<Form>({ ...START, source: query['source'] ?? '' })
  const [error, setError] = useState<unknown>()
  const [secret, setSecret] = useState<string>()
  const source = form.source || (overview?.sources[0]?.name ?? '')
  const tables = useQuery(source, async (signal) =>
    source === '' ? [] : (await client.sources.tables(source, { signal })).data,
  )
  const faults = faultsOf(error)
  const change = (part: Partial<Form>): void => {
    setForm({ ...form, ...part })
    setError(undefined)
  }
  const body = useMemo(() => toBody(form, source), [form, source])
  const create = async (): Promise<void> => {
    setError(undefined)
    try {
      const { push_secret: made } = await client.consumers.create(body)
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
  const isFilled =
    form.name !== '' && form.tables.length > 0 && (form.mode === 'pull' || form.url !== '')
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
            onChange={(next) => change({ source: next, tables: [] })}
          />
        </div>
      </section>
      <section class="form-section" aria-label="What it selects">
        <h2>What it gets</h2>
        <TablePicker
          query={tables}
          selected={form.tables}
          error={faults['tables']}
          onChange={(selected) => change({ tables: selected })}
        />
        <fieldset class="field">
          <legend>Actions</legend>
          <div class="row wide">
            {ACTIONS.map(({ action, text }) => (
              <Check
                key={action}
                checked={form.actions.includes(action)}
                onChange={(checked) =>
                  change({
                    actions: ACTIONS.map((each) => each.action).filter((each) =>
                      each === action ? checked : form.actions.includes(each),
                    ),
                  })
                }
              >
                {text}
              </Check>
            ))}
          </div>
        </fieldset>
        <Field
          label="Filter"
          value={form.filter}
          onInput={(filter) => change({ filter })}
          error={faults['filter']}
          placeholder="record.total_price > 100.0"
          hint={
            <>
              A CEL expression over <code>record</code>, <code>changes</code>, <code>action</code>{' '}
              and <code>metadata</code>. Empty: everything.
            </>
          }
          rows={2}
          mono
        />
        <Choices
          legend="Order"
          name="ordering"
          value={form.ordering}
          onChange={(ordering) => change({ ordering })}
          options={[
            {
              value: 'group',
              title: 'By row',
              text: 'Changes of one row come one after the other.',
            },
            { value: 'none', title: 'None', text: 'As fast as can be, in any order.' },
          ]}
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
            <Field
              label="URL"
              type="url"
              value={form.url}
              onInput={(url) => change({ url })}
              error={faults['push']}
              placeholder="https://shipping.example.com/hooks/orders"
            />
            <Field
              label="Headers"
              value={form.headers}
              onInput={(headers) => change({ headers })}
              rows={2}
              mono
              placeholder="authorization: Bearer …"
              hint="One a line, name: value. Encrypted, and never shown again."
            />
          </>
        )}
        <div class="fields">
          <Select
            label="It begins"
            value={form.start}
            options={STARTS}
            onChange={(start) => change({ start: start as Form['start'] })}
          />
          {form.start === 'time' && (
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
        <Button kind="primary" disabled={!isFilled} onClick={create}>
          Create {form.name || 'the consumer'}
        </Button>
      </div>
      {secret !== undefined && (
        <Dialog
          title="The signing secret"
          wide
          onClose={() => route(`/consumers/${form.name}/use`)}
        >
          <Note tone="warn">Copy it now: it is shown this once.</Note>
          <Code text={secret} label="The secret" wrap />
          <p class="hint">The receiver verifies with it that a request came from here.</p>
          <div class="dialog-foot">
            <Button kind="primary" onClick={() => route(`/consumers/${form.name}/use`)}>
              I have it
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  )
}

function toBody(form: Form, source: string): Body {
  return {
    name: form.name,
    source,
    tables: form.tables,
    actions: form.actions,
    filter: form.filter.trim() === '' ? null : form.filter,
    ordering: form.ordering,
    mode: form.mode,
    ...(form.mode === 'push'
      ? { push: { url: form.url, headers: readHeaders(form.headers) } }
      : {}),
    start_from: startFrom(form),
  }
}

function startFrom({ start, time }: Form): string {
  if (start !== 'time') return start
  return time === '' ? 'now' : new Date(time).toISOString()
}

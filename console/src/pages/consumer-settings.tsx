import { useState } from 'preact/hooks'

import { client, explainError, faultsOf } from '../api.ts'
import { may } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { Note } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'
import type { Action } from './filter-field.tsx'
import { PushFields, PUSH_START, toPush, type PushForm } from './push-fields.tsx'
import { PushTools } from './push-tools.tsx'
import { SelectionFields, toSelection, type SelectionForm } from './selection-fields.tsx'

type Consumer = Awaited<ReturnType<typeof client.consumers.get>>
type Patch = Parameters<typeof client.consumers.patch>[1]

interface LimitsForm {
  visibility: string
  inFlight: string
  waiting: string
  deliveries: string
}

interface Form {
  selection: SelectionForm
  limits: LimitsForm
  push: PushForm
}

function toForm(consumer: Consumer): Form {
  const { columns, push } = consumer
  return {
    selection: {
      tables: consumer.tables,
      actions: consumer.actions as Action[],
      filter: consumer.filter ?? '',
      columns: columns === null ? 'all' : columns.include ? 'include' : 'exclude',
      columnNames: (columns?.include ?? columns?.exclude ?? []).join(', '),
      ordering: consumer.ordering,
      groupBy: consumer.group_by?.join(', ') ?? '',
    },
    limits: {
      visibility: String(consumer.visibility_timeout_ms / 1000),
      inFlight: String(consumer.max_in_flight),
      waiting: String(consumer.max_waiting),
      deliveries: consumer.max_deliveries === null ? '' : String(consumer.max_deliveries),
    },
    push: push
      ? {
          url: push.url,
          headers: '',
          batch: String(push.batch_size),
          timeout: String(push.timeout_ms / 1000),
          parallel: String(push.max_in_flight),
          allowHttp: push.allow_http,
          rate: push.rate_per_second === null ? '' : String(push.rate_per_second),
        }
      : PUSH_START,
  }
}

interface ConsumerSettingsProps {
  consumer: Consumer
  onChanged: () => void
}

export function ConsumerSettings({ consumer, onChanged }: ConsumerSettingsProps) {
  if (!may('admin')) return <ReadOnly consumer={consumer} />
  return (
    <div class="stack">
      <SettingsForm consumer={consumer} onChanged={onChanged} />
      {consumer.mode === 'push' && <PushTools name={consumer.name} />}
      <Fixed consumer={consumer} />
    </div>
  )
}

function SettingsForm({ consumer, onChanged }: ConsumerSettingsProps) {
  const [form, setForm] = useState(() => toForm(consumer))
  const [error, setError] = useState<unknown>()
  const faults = faultsOf(error)
  const change = <K extends keyof Form>(part: K, changes: Partial<Form[K]>): void => {
    setForm((before) => ({ ...before, [part]: { ...before[part], ...changes } }))
    setError(undefined)
  }
  const patch = toPatch(form, consumer)
  const isChanged = Object.keys(patch).length > 0
  const save = async (): Promise<void> => {
    try {
      const saved = await client.consumers.patch(consumer.name, patch)
      setForm(toForm(saved))
      showToast('Saved.')
      onChanged()
    } catch (caught) {
      setError(caught)
    }
  }
  return (
    <>
      <section class="form-section" aria-label="What it gets">
        <h2>What it gets</h2>
        <SelectionFields
          source={consumer.source}
          form={form.selection}
          faults={faults}
          onChange={(part) => change('selection', part)}
          filterHint="A change applies from the cursor on."
        />
      </section>
      <section class="form-section" aria-label="Delivery">
        <h2>Delivery</h2>
        <Limits form={form.limits} faults={faults} onChange={(part) => change('limits', part)} />
        {consumer.mode === 'push' && (
          <PushFields
            form={form.push}
            faults={faults}
            isStored
            onChange={(part) => change('push', part)}
          />
        )}
      </section>
      {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
      <div class="save-bar">
        <Button kind="primary" disabled={!isChanged} onClick={save}>
          Save
        </Button>
        <Button kind="quiet" disabled={!isChanged} onClick={() => setForm(toForm(consumer))}>
          Undo
        </Button>
        <span class="hint">{isChanged ? 'Not saved yet.' : 'Nothing was changed.'}</span>
      </div>
    </>
  )
}

interface LimitsProps {
  form: LimitsForm
  faults: Record<string, string>
  onChange: (part: Partial<LimitsForm>) => void
}

function Limits({ form, faults, onChange }: LimitsProps) {
  return (
    <div class="fields tight">
      <Field
        label="Visibility timeout, in seconds"
        type="number"
        value={form.visibility}
        onInput={(visibility) => onChange({ visibility })}
        error={faults['visibility_timeout_ms']}
        hint="How long a service may work before a message is delivered again."
      />
      <Field
        label="Deliveries at most"
        type="number"
        value={form.deliveries}
        onInput={(deliveries) => onChange({ deliveries })}
        error={faults['max_deliveries']}
        placeholder="until acked"
        hint="After so many a message is a dead letter."
      />
      <Field
        label="In flight at most"
        type="number"
        value={form.inFlight}
        onInput={(inFlight) => onChange({ inFlight })}
        error={faults['max_in_flight']}
        hint="Messages that services may hold together."
      />
      <Field
        label="Waiting calls at most"
        type="number"
        value={form.waiting}
        onInput={(waiting) => onChange({ waiting })}
        error={faults['max_waiting']}
        hint="Receive calls that wait for messages."
      />
    </div>
  )
}

/** What is decided when a consumer is created. */
function Fixed({ consumer }: { consumer: Consumer }) {
  return (
    <dl class="facts card pad">
      <dt>Id</dt>
      <dd class="mono">{consumer.id}</dd>
      <dt>Kind</dt>
      <dd>{consumer.kind === 'rows' ? 'rows: the latest state of each' : 'changes: every one'}</dd>
      <dt>Began</dt>
      <dd>{consumer.start_from}</dd>
    </dl>
  )
}

/** For those who may look and not change. */
function ReadOnly({ consumer }: { consumer: Consumer }) {
  const { columns, push } = consumer
  const facts: [string, string][] = [
    ['Tables', consumer.tables.join(', ')],
    ['Actions', consumer.actions.join(', ')],
    ['Filter', consumer.filter ?? 'none'],
    [
      'Columns',
      columns === null
        ? 'all'
        : columns.include
          ? `only ${columns.include.join(', ')}`
          : `all but ${columns.exclude?.join(', ')}`,
    ],
    [
      'Order',
      consumer.ordering === 'none'
        ? 'none'
        : `by ${consumer.group_by?.join(', ') ?? 'the primary key'}`,
    ],
    ['Visibility timeout', `${consumer.visibility_timeout_ms / 1000} s`],
    ['Deliveries at most', consumer.max_deliveries?.toString() ?? 'until acked'],
    ['In flight at most', String(consumer.max_in_flight)],
    ['Waiting calls at most', String(consumer.max_waiting)],
    ...(push ? [['Webhook', push.url] as [string, string]] : []),
  ]
  return (
    <div class="stack">
      <dl class="facts card pad">
        {facts.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
      <Fixed consumer={consumer} />
      <p class="hint">Changing them needs a token with the scope admin.</p>
    </div>
  )
}

/** What differs; the rest stays as somebody else may have changed it meanwhile. */
function toPatch(form: Form, consumer: Consumer): Patch {
  const before = toForm(consumer)
  const patch: Patch = {}
  const was = toSelection(before.selection)
  for (const [key, value] of Object.entries(toSelection(form.selection))) {
    if (JSON.stringify(value) !== JSON.stringify(was[key as keyof typeof was])) {
      Object.assign(patch, { [key]: value })
    }
  }
  const { limits } = form
  if (limits.visibility !== before.limits.visibility) {
    patch.visibility_timeout_ms = Math.round(Number(limits.visibility) * 1000)
  }
  if (limits.inFlight !== before.limits.inFlight) patch.max_in_flight = Number(limits.inFlight)
  if (limits.waiting !== before.limits.waiting) patch.max_waiting = Number(limits.waiting)
  if (limits.deliveries !== before.limits.deliveries) {
    patch.max_deliveries = limits.deliveries === '' ? null : Number(limits.deliveries)
  }
  if (consumer.push && JSON.stringify(form.push) !== JSON.stringify(before.push)) {
    patch.push = toPush(form.push)
  }
  return patch
}

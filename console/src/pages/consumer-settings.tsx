import { useState } from 'preact/hooks'

import { client, explainError, faultsOf } from '../api.ts'
import { may } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Field, Select } from '../ui/field.tsx'
import { Note } from '../ui/parts.tsx'
import { showToast } from '../ui/toast.tsx'

type Consumer = Awaited<ReturnType<typeof client.consumers.get>>
type Patch = Parameters<typeof client.consumers.patch>[1]

interface Form {
  filter: string
  visibility: string
  inFlight: string
  deliveries: string
  ordering: 'group' | 'none'
  url: string
  pushTimeout: string
}

function toForm(consumer: Consumer): Form {
  return {
    filter: consumer.filter ?? '',
    visibility: String(consumer.visibility_timeout_ms / 1000),
    inFlight: String(consumer.max_in_flight),
    deliveries: consumer.max_deliveries === null ? '' : String(consumer.max_deliveries),
    ordering: consumer.ordering,
    url: consumer.push?.url ?? '',
    pushTimeout: consumer.push ? String(consumer.push.timeout_ms / 1000) : '',
  }
}

interface ConsumerSettingsProps {
  consumer: Consumer
  onChanged: () => void
}

export function ConsumerSettings({ consumer, onChanged }: ConsumerSettingsProps) {
  const [form, setForm] = useState(() => toForm(consumer))
  const [error, setError] = useState<unknown>()
  const faults = faultsOf(error)
  const isReadOnly = !may('admin')
  const change = (part: Partial<Form>): void => {
    setForm({ ...form, ...part })
    setError(undefined)
  }
  const save = async (): Promise<void> => {
    try {
      await client.consumers.patch(consumer.name, toPatch(form, consumer))
      showToast('Saved.')
      onChanged()
    } catch (caught) {
      setError(caught)
    }
  }
  const common = { disabled: isReadOnly }
  return (
    <div class="stack">
      <section class="form-section" aria-label="Settings">
        <Field
          {...common}
          label="Filter"
          value={form.filter}
          onInput={(filter) => change({ filter })}
          error={faults['filter']}
          hint="A CEL expression; empty: everything. A change applies from the cursor on."
          placeholder="record.total_price > 100.0"
          rows={2}
          mono
        />
        <div class="fields">
          <Field
            {...common}
            label="Visibility timeout, in seconds"
            type="number"
            value={form.visibility}
            onInput={(visibility) => change({ visibility })}
            error={faults['visibility_timeout_ms']}
            hint="How long a service may work before a message is delivered again."
          />
          <Field
            {...common}
            label="Deliveries at most"
            type="number"
            value={form.deliveries}
            onInput={(deliveries) => change({ deliveries })}
            error={faults['max_deliveries']}
            placeholder="until acked"
            hint="After so many a message is a dead letter."
          />
          <Field
            {...common}
            label="In flight at most"
            type="number"
            value={form.inFlight}
            onInput={(inFlight) => change({ inFlight })}
            error={faults['max_in_flight']}
          />
          {!isReadOnly && (
            <Select
              label="Order"
              value={form.ordering}
              options={[
                ['group', 'By row'],
                ['none', 'None'],
              ]}
              onChange={(ordering) => change({ ordering: ordering as Form['ordering'] })}
            />
          )}
        </div>
        {consumer.push && (
          <div class="fields">
            <Field
              {...common}
              label="URL"
              type="url"
              value={form.url}
              onInput={(url) => change({ url })}
              error={faults['push']}
            />
            <Field
              {...common}
              label="Timeout of a request, in seconds"
              type="number"
              value={form.pushTimeout}
              onInput={(pushTimeout) => change({ pushTimeout })}
            />
          </div>
        )}
        {error !== undefined && <Note tone="bad">{explainError(error)}</Note>}
        {isReadOnly ? (
          <p class="hint">Changing them needs a token with the scope admin.</p>
        ) : (
          <div class="row">
            <Button kind="primary" onClick={save}>
              Save
            </Button>
            <Button kind="quiet" onClick={() => setForm(toForm(consumer))}>
              Undo
            </Button>
          </div>
        )}
      </section>
      <dl class="facts card pad">
        <dt>Id</dt>
        <dd class="mono">{consumer.id}</dd>
        <dt>Tables</dt>
        <dd>{consumer.tables.join(', ')}</dd>
        <dt>Began</dt>
        <dd>{consumer.start_from}</dd>
        <dt>Groups by</dt>
        <dd>{consumer.group_by?.join(', ') ?? 'the primary key'}</dd>
      </dl>
    </div>
  )
}

/** What differs; the rest stays as somebody else may have changed it meanwhile. */
function toPatch(form: Form, consumer: Consumer): Patch {
  const before = toForm(consumer)
  const patch: Patch = {}
  if (form.filter !== before.filter) patch.filter = form.filter.trim() === '' ? null : form.filter
  if (form.visibility !== before.visibility) {
    patch.visibility_timeout_ms = Math.round(Number(form.visibility) * 1000)
  }
  if (form.inFlight !== before.inFlight) patch.max_in_flight = Number(form.inFlight)
  if (form.deliveries !== before.deliveries) {
    patch.max_deliveries = form.deliveries === '' ? null : Number(form.deliveries)
  }
  if (form.ordering !== before.ordering) patch.ordering = form.ordering
  if (consumer.push && (form.url !== before.url || form.pushTimeout !== before.pushTimeout)) {
    const timeoutMs = Math.round(Number(form.pushTimeout) * 1000)
    patch.push = { ...consumer.push, url: form.url, timeout_ms: timeoutMs }
  }
  return patch
}

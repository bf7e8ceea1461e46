import { Check, Field } from '../ui/field.tsx'
import { readHeaders } from './read-headers.ts'

/** How messages are pushed, as its form has it. */
export interface PushForm {
  url: string
  /** `name: value`, one a line; empty: left as they are. */
  headers: string
  batch: string
  /** Seconds. */
  timeout: string
  parallel: string
  rate: string
  allowHttp: boolean
}

export const PUSH_START: PushForm = {
  url: '',
  headers: '',
  batch: '1',
  timeout: '15',
  parallel: '10',
  rate: '',
  allowHttp: false,
}

interface PushFieldsProps {
  form: PushForm
  faults: Record<string, string>
  onChange: (part: Partial<PushForm>) => void
  /** There are headers already: what is typed replaces them. */
  isStored?: boolean
}

export function PushFields({ form, faults, onChange, isStored }: PushFieldsProps) {
  return (
    <>
      <Field
        label="URL"
        type="url"
        value={form.url}
        onInput={(url) => onChange({ url })}
        error={faults['push']}
        placeholder="https://shipping.example.com/hooks/orders"
      />
      {form.url.startsWith('http://') && (
        <Check checked={form.allowHttp} onChange={(allowHttp) => onChange({ allowHttp })}>
          Plain http is meant{' '}
          <span class="hint">
            – to a public address anybody on the way can read and change what is sent
          </span>
        </Check>
      )}
      <Field
        label="Headers"
        value={form.headers}
        onInput={(headers) => onChange({ headers })}
        rows={2}
        mono
        placeholder="authorization: Bearer …"
        hint={
          isStored
            ? 'One a line, name: value. What you type replaces all that are kept; empty: they stay.'
            : 'One a line, name: value. Encrypted, and never shown again.'
        }
      />
      <div class="fields tight">
        <Field
          label="Messages a request"
          type="number"
          value={form.batch}
          onInput={(batch) => onChange({ batch })}
        />
        <Field
          label="Requests at once"
          type="number"
          value={form.parallel}
          onInput={(parallel) => onChange({ parallel })}
        />
        <Field
          label="Requests a second"
          type="number"
          value={form.rate}
          onInput={(rate) => onChange({ rate })}
          placeholder="no limit"
        />
        <Field
          label="Timeout, in seconds"
          type="number"
          value={form.timeout}
          onInput={(timeout) => onChange({ timeout })}
        />
      </div>
    </>
  )
}

/** As the API takes it. */
export function toPush(form: PushForm) {
  return {
    url: form.url,
    ...(form.headers.trim() === '' ? {} : { headers: readHeaders(form.headers) }),
    batch_size: Number(form.batch),
    timeout_ms: Math.round(Number(form.timeout) * 1000),
    max_in_flight: Number(form.parallel),
    allow_http: form.allowHttp,
    rate_per_second: form.rate === '' ? null : Number(form.rate),
  }
}

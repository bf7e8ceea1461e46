import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

interface FieldProps {
  label: string
  hint?: ComponentChildren
  error?: string | undefined
  value: string
  onInput: (value: string) => void
  type?: 'text' | 'password' | 'number' | 'datetime-local' | 'url'
  placeholder?: string
  /** More than one line. */
  rows?: number
  mono?: boolean
  required?: boolean
  disabled?: boolean
  autofocus?: boolean
  autocomplete?: string
}

export function Field(props: FieldProps) {
  const id = useId()
  const { label, hint, error, value, onInput, type = 'text', rows, mono } = props
  const common = {
    id,
    class: mono ? 'input mono' : 'input',
    value,
    placeholder: props.placeholder,
    required: props.required,
    disabled: props.disabled,
    autofocus: props.autofocus,
    spellcheck: false,
    autocomplete: props.autocomplete ?? 'off',
    autocapitalize: 'off' as const,
    'aria-invalid': error ? true : undefined,
    'aria-describedby': error ? `${id}-error` : hint ? `${id}-hint` : undefined,
    onInput: (event: Event) => onInput((event.target as HTMLInputElement).value),
  }
  // Preact's types have a shape for each kind of input; these kinds differ in nothing that is set here.
  const inputType = type as 'text'
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {rows ? <textarea {...common} rows={rows} /> : <input {...common} type={inputType} />}
      {error ? (
        <p class="error" id={`${id}-error`} role="alert">
          {error}
        </p>
      ) : (
        hint && (
          <p class="hint" id={`${id}-hint`}>
            {hint}
          </p>
        )
      )}
    </div>
  )
}

interface SelectProps {
  label: string
  value: string
  options: readonly (readonly [value: string, text: string])[]
  onChange: (value: string) => void
  /** The label is for those who do not see the field's place. */
  hideLabel?: boolean
  hint?: string
}

export function Select({ label, value, options, onChange, hideLabel, hint }: SelectProps) {
  const id = useId()
  const select = (
    <select
      id={id}
      class={hideLabel ? 'input compact' : 'input'}
      aria-label={hideLabel ? label : undefined}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  )
  if (hideLabel) return select
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {select}
      {hint && <p class="hint">{hint}</p>}
    </div>
  )
}

interface ChoiceProps<T extends string> {
  legend: string
  name: string
  value: T
  options: readonly { value: T; title: string; text: string }[]
  onChange: (value: T) => void
}

/** One of a few, each with a sentence. */
export function Choices<T extends string>({
  legend,
  name,
  value,
  options,
  onChange,
}: ChoiceProps<T>) {
  return (
    <fieldset class="field">
      <legend>{legend}</legend>
      <div class="choices">
        {options.map((option) => (
          <label key={option.value} class="choice">
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span>
              <strong>{option.title}</strong>
              <span>{option.text}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

interface CheckProps {
  checked: boolean
  onChange: (checked: boolean) => void
  children: ComponentChildren
}

export function Check({ checked, onChange, children }: CheckProps) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{children}</span>
    </label>
  )
}

import { CopyButton } from './button.tsx'
import { formatJson, Json } from './json.tsx'

/** Text to be copied: commands, SQL, examples. */
export function Code({ text, label, wrap }: { text: string; label: string; wrap?: boolean }) {
  return (
    <div class="code">
      <div class="copy">
        <CopyButton text={text} />
      </div>
      <pre class={wrap ? 'wrap' : ''} tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
    </div>
  )
}

export function JsonCode({ value, label }: { value: unknown; label: string }) {
  return (
    <div class="code">
      <div class="copy">
        <CopyButton text={() => formatJson(value)} />
      </div>
      <pre class="wrap" tabIndex={0} role="region" aria-label={label}>
        <Json value={value} />
      </pre>
    </div>
  )
}

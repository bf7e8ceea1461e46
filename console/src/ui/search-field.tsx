import { useEffect, useState } from 'preact/hooks'

interface SearchFieldProps {
  label: string
  placeholder: string
  value: string
  /** Once it is typed: with Enter, or when the field is left. */
  onSearch: (value: string) => void
  /** To choose from while typing. */
  suggestions?: readonly string[]
  /** The key `/` goes there. */
  isFirst?: boolean
}

/** What a list on the server is narrowed to. Half a word is not asked for. */
export function SearchField(props: SearchFieldProps) {
  const { label, placeholder, value, onSearch, suggestions = [], isFirst } = props
  // Kept here: whatever is live on the page draws it anew while somebody types.
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  const list = suggestions.length > 0 ? `${label}-suggestions` : undefined
  return (
    <>
      <input
        class="input compact"
        type="search"
        data-search={isFirst}
        aria-label={label}
        placeholder={placeholder}
        list={list}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onChange={(event) => onSearch(event.currentTarget.value.trim())}
      />
      {list && (
        <datalist id={list}>
          {suggestions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
  )
}

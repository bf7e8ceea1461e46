import { useId, useState } from 'preact/hooks'

import { findPlaces } from '../find-places.ts'
import { Dialog } from './dialog.tsx'
import { Icon, type IconName } from './icon.tsx'

/** Where somebody can go. */
export interface Place {
  href: string
  /** What is searched and shown. */
  text: string
  /** What it belongs to: shown beside it, and searched as well. */
  of?: string
  icon: IconName
}

interface JumpDialogProps {
  places: readonly Place[]
  onGo: (href: string) => void
  onClose: () => void
}

const SHOWN_MAX = 10

/** Type a few letters, press Enter, be there. */
export function JumpDialog({ places, onGo, onClose }: JumpDialogProps) {
  const id = useId()
  const [search, setSearch] = useState('')
  const [at, setAt] = useState(0)
  const found = findPlaces(places, search).slice(0, SHOWN_MAX)
  const current = Math.min(at, found.length - 1)
  const go = (place: Place | undefined): void => {
    if (!place) return
    onClose()
    onGo(place.href)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter') go(found[current])
    else if (event.key === 'ArrowDown') setAt(Math.min(found.length - 1, current + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, current - 1))
    else return
    event.preventDefault()
  }
  return (
    <Dialog title="Go to" bare onClose={onClose}>
      <input
        class="jump-input"
        type="text"
        role="combobox"
        aria-label="Go to"
        aria-expanded={found.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={found.length > 0 ? `${id}-${current}` : undefined}
        placeholder="A consumer, a source, a page …"
        autocomplete="off"
        spellcheck={false}
        autofocus
        value={search}
        onInput={(event) => {
          setSearch(event.currentTarget.value)
          setAt(0)
        }}
        onKeyDown={onKeyDown}
      />
      <ul class="jump-list" role="listbox" id={`${id}-list`} aria-label="Places">
        {found.map((place, index) => (
          <li
            key={place.href}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === current}
            onPointerMove={() => setAt(index)}
            onClick={() => go(place)}
          >
            <Icon name={place.icon} />
            <span>{place.text}</span>
            {place.of && <span class="faint">{place.of}</span>}
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="jump-none muted">Nothing has this in its name.</p>}
    </Dialog>
  )
}

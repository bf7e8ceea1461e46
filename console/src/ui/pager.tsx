import { useState } from 'preact/hooks'

import { Button } from './button.tsx'

/** The cursors of the pages seen so far: the API goes forward, people also go back. */
export interface Pages {
  /** Undefined: the first page. */
  cursor: string | undefined
  number: number
  next: (cursor: string) => void
  back: () => void
  reset: () => void
}

export function usePages(key: string): Pages {
  const [state, setState] = useState<{ key: string; cursors: string[] }>({ key, cursors: [] })
  // Another list starts at its own first page.
  const cursors = state.key === key ? state.cursors : []
  return {
    cursor: cursors.at(-1),
    number: cursors.length + 1,
    next: (cursor) => setState({ key, cursors: [...cursors, cursor] }),
    back: () => setState({ key, cursors: cursors.slice(0, -1) }),
    reset: () => setState({ key, cursors: [] }),
  }
}

export function Pager({ pages, nextCursor }: { pages: Pages; nextCursor: string | null }) {
  if (pages.number === 1 && nextCursor === null) return null
  return (
    <div class="pager">
      <span>Page {pages.number}</span>
      <div class="row">
        <Button small disabled={pages.number === 1} onClick={pages.back}>
          Previous
        </Button>
        <Button
          small
          disabled={nextCursor === null}
          onClick={() => nextCursor !== null && pages.next(nextCursor)}
        >
          Next
        </Button>
      </div>
    </div>
  )
}

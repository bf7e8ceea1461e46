import type { ComponentType } from 'preact'

import { may, seesEverything } from './session.ts'
import { Empty } from './ui/parts.tsx'

interface Needs {
  /** What the page is for, as the beginning of a sentence. */
  what: string
  /** Bound to no consumers. */
  everything: boolean
}

/** A page that has something to offer to nobody but administrators; others are told so. */
export function adminsAlone<P extends object>(
  Page: ComponentType<P>,
  { what, everything }: Needs,
): ComponentType<P> {
  return function AdminsAlone(props: P) {
    if (may('admin') && (!everything || seesEverything())) return <Page {...props} />
    return (
      <Empty title={`${what} takes another token`} action={<a href="/">Back to the overview</a>}>
        One with the scope <code>admin</code>
        {everything && ' that is bound to no consumers'}.
      </Empty>
    )
  }
}

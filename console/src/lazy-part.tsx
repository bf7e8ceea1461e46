import { lazy } from 'preact-iso'
import type { ComponentType } from 'preact'

import { Button } from './ui/button.tsx'
import { Empty } from './ui/parts.tsx'

/** After an update of the server its older parts are gone; the page itself brings the new ones. */
function Missing() {
  return (
    <Empty
      title="This part could not be loaded"
      action={<Button onClick={() => location.reload()}>Reload</Button>}
    >
      The server was updated, or it did not answer.
    </Empty>
  )
}

/** A part of the console that comes when it is first needed. */
export function lazyPart<P>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  return lazy(() => load().catch((): ComponentType<P> => Missing)) as ComponentType<P>
}

import { Fragment } from 'preact'

import { MOD_KEY } from '../keyboard.ts'
import { Dialog } from './dialog.tsx'

const SHORTCUTS: [keys: string[], what: string][] = [
  [[MOD_KEY, 'K'], 'Go to anything by its name'],
  [['g', 'o'], 'Overview'],
  [['g', 't'], 'Live tail'],
  [['g', 's'], 'Sources'],
  [['g', 'k'], 'Tokens'],
  [['g', 'a'], 'About'],
  [['c', 'c'], 'Create a consumer'],
  [['/'], 'Search in the page'],
  [['j'], 'Next row'],
  [['k'], 'Row before'],
  [['Enter'], 'Open the row'],
  [['Esc'], 'Close what is open'],
  [['Space'], 'Hold the live tail, and go on'],
  [['?'], 'This list'],
]

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl class="facts">
        {SHORTCUTS.map(([keys, what]) => (
          <Fragment key={what}>
            <dt>
              {keys.map((key) => (
                <Fragment key={key}>
                  <kbd>{key}</kbd>{' '}
                </Fragment>
              ))}
            </dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
    </Dialog>
  )
}

import './styles/base.css'
import './styles/shell.css'
import './styles/button.css'
import './styles/form.css'
import './styles/card.css'
import './styles/table.css'
import './styles/tabs.css'
import './styles/code.css'
import './styles/overlay.css'
import './styles/jump.css'
import './styles/message.css'
import './styles/connect.css'
import './styles/picker.css'
import './styles/preview.css'
import './styles/backfill.css'
import './styles/fan-out.css'
import './styles/chart.css'

import { render } from 'preact'

import { App } from './app.tsx'
import { resumeSession } from './session.ts'
import { readTheme, setTheme } from './theme.ts'

setTheme(readTheme())
void resumeSession()
render(<App />, document.querySelector('#app')!)

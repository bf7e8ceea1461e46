import './styles/base.css'
import './styles/shell.css'
import './styles/parts.css'
import './styles/fan-out.css'
import './styles/chart.css'

import { render } from 'preact'

import { App } from './app.tsx'
import { resumeSession } from './session.ts'
import { readTheme, setTheme } from './theme.ts'

setTheme(readTheme())
void resumeSession()
render(<App />, document.querySelector('#app')!)

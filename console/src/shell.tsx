import type { ComponentChildren } from 'preact'
import { useLocation } from 'preact-iso'
import { useEffect, useState } from 'preact/hooks'

import { formatCount } from './format.ts'
import { MOD_KEY, useShortcuts } from './keyboard.ts'
import { useLive, watchLive, type LiveConsumer } from './live.ts'
import { listPlaces } from './list-places.ts'
import { may, seesEverything, signOut } from './session.ts'
import { readTheme, setTheme, type Theme } from './theme.ts'
import { Button } from './ui/button.tsx'
import { Icon, Logo, type IconName } from './ui/icon.tsx'
import { JumpDialog } from './ui/jump-dialog.tsx'
import { ShortcutsDialog } from './ui/shortcuts-dialog.tsx'

/** Navigation on the left, or behind a button where there is no room. */
export function Shell({ children }: { children: ComponentChildren }) {
  const { path, route } = useLocation()
  const [isOpen, setIsOpen] = useState(false)
  const [shown, setShown] = useState<'shortcuts' | 'jump'>()
  const { overview } = useLive()
  const close = (): void => setShown(undefined)
  useEffect(() => (may('read') ? watchLive() : undefined), [])
  useEffect(() => setIsOpen(false), [path])
  useShortcuts({
    '?': () => setShown('shortcuts'),
    'mod k': () => setShown('jump'),
    '/': () => document.querySelector<HTMLElement>('.main [data-search]')?.focus(),
    'g o': () => route('/'),
    'g t': () => route('/tail'),
    'g s': () => route('/sources'),
    'g k': () => may('admin') && seesEverything() && route('/tokens'),
    'g a': () => route('/about'),
    'c c': () => may('admin') && route('/consumers/new'),
  })
  return (
    <div class="shell">
      <a class="skip-link" href="#content">
        Skip to the content
      </a>
      <div class="top-bar">
        <Button
          kind="quiet"
          icon="menu"
          label="Menu"
          expanded={isOpen}
          onClick={() => setIsOpen(!isOpen)}
        />
        <strong>Millrace</strong>
        <LiveState />
        <Button kind="quiet" icon="search" label="Go to" onClick={() => setShown('jump')} />
      </div>
      {isOpen && <div class="veil" onClick={() => setIsOpen(false)} />}
      <Side isOpen={isOpen} onShow={setShown} />
      <main class="main" id="content" tabIndex={-1}>
        {children}
      </main>
      {shown === 'shortcuts' && <ShortcutsDialog onClose={close} />}
      {shown === 'jump' && (
        <JumpDialog places={listPlaces(overview)} onGo={route} onClose={close} />
      )}
    </div>
  )
}

interface SideProps {
  isOpen: boolean
  onShow: (what: 'shortcuts' | 'jump') => void
}

function Side({ isOpen, onShow }: SideProps) {
  const { overview } = useLive()
  return (
    <div class={isOpen ? 'side is-open' : 'side'}>
      <a class="brand" href="/">
        <Logo />
        Millrace
      </a>
      <button type="button" class="jump-open" onClick={() => onShow('jump')}>
        <Icon name="search" />
        Go to …<kbd aria-hidden="true">{MOD_KEY} K</kbd>
      </button>
      <nav class="nav" aria-label="Pages">
        {may('read') && <NavLink href="/" icon="overview" text="Overview" isExact />}
        {may('read') && <NavLink href="/tail" icon="tail" text="Live tail" />}
        {may('read') && seesEverything() && (
          <NavLink href="/sources" icon="source" text="Sources" />
        )}
        {may('admin') && seesEverything() && <NavLink href="/tokens" icon="token" text="Tokens" />}
        <NavLink href="/about" icon="about" text="About" />
      </nav>
      {overview && (
        <nav class="nav" aria-label="Consumers">
          <div class="nav-title">
            Consumers
            {may('admin') && (
              <a
                class="button quiet icon small"
                href="/consumers/new"
                aria-label="Create a consumer"
              >
                <Icon name="plus" />
              </a>
            )}
          </div>
          {overview.consumers.map((consumer) => (
            <ConsumerLink key={consumer.id} consumer={consumer} />
          ))}
          {overview.consumers.length === 0 && <span class="nav-title">None yet</span>}
        </nav>
      )}
      <div class="side-foot">
        <ThemeSwitch />
        <Button
          small
          kind="quiet"
          icon="keyboard"
          label="Keyboard shortcuts"
          onClick={() => onShow('shortcuts')}
        />
        <Button small kind="quiet" icon="exit" label="Sign out" onClick={signOut} />
        <LiveState />
      </div>
    </div>
  )
}

interface NavLinkProps {
  href: string
  icon: IconName
  text: string
  isExact?: boolean
}

function NavLink({ href, icon, text, isExact }: NavLinkProps) {
  const { path } = useLocation()
  const isCurrent = isExact ? path === href : path.startsWith(href)
  return (
    <a href={href} aria-current={isCurrent ? 'page' : undefined}>
      <Icon name={icon} />
      <span>{text}</span>
    </a>
  )
}

function ConsumerLink({ consumer }: { consumer: LiveConsumer }) {
  const { path } = useLocation()
  const { name, mode, paused, stats } = consumer
  const href = `/consumers/${name}`
  const isCurrent = path === href || path.startsWith(`${href}/`)
  return (
    <a href={href} aria-current={isCurrent ? 'page' : undefined}>
      <Icon name={paused ? 'pause' : mode} />
      <span>{name}</span>
      {stats.dead > 0 && (
        <span class="count bad" title="Dead letters">
          {formatCount(stats.dead)}
          <span class="sr-only"> dead</span>
        </span>
      )}
    </a>
  )
}

const THEMES: Record<Theme, { next: Theme; icon: IconName; label: string }> = {
  system: { next: 'light', icon: 'system', label: 'Theme: as the system' },
  light: { next: 'dark', icon: 'sun', label: 'Theme: light' },
  dark: { next: 'system', icon: 'moon', label: 'Theme: dark' },
}

function ThemeSwitch() {
  const [theme, show] = useState(readTheme)
  const { next, icon, label } = THEMES[theme]
  const change = (): void => {
    setTheme(next)
    show(next)
  }
  return <Button small kind="quiet" icon={icon} label={label} onClick={change} />
}

const LIVE_STATES = {
  connecting: { dot: '', text: 'Connecting' },
  live: { dot: 'ok pulse', text: 'Live' },
  late: { dot: 'warn', text: 'Out of date' },
  lost: { dot: 'warn', text: 'Reconnecting' },
}

function LiveState() {
  const { status } = useLive()
  const { dot, text } = LIVE_STATES[status]
  if (!may('read')) return null
  return (
    <span class="live">
      <span class={`dot ${dot}`} aria-hidden="true" />
      {text}
    </span>
  )
}

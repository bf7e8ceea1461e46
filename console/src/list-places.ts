import type { LiveConsumer, LiveSource } from './live.ts'
import { may, seesEverything } from './session.ts'
import type { Place } from './ui/jump-dialog.tsx'

interface Overview {
  consumers: readonly LiveConsumer[]
  sources: readonly LiveSource[]
}

const CONSUMER_TABS = [
  ['dead-letters', 'Dead letters'],
  ['tail', 'Live tail'],
  ['backfills', 'Backfills'],
  ['settings', 'Settings'],
  ['use', 'Use it'],
] as const

const SOURCE_TABS = [
  ['health', 'Health'],
  ['tables', 'Tables'],
  ['backfills', 'Backfills'],
] as const

/** All that the signed-in token can go to; pages first, then what there is. */
export function listPlaces(overview: Overview | undefined): Place[] {
  const { consumers = [], sources = [] } = overview ?? {}
  const isReader = may('read')
  const isWhole = seesEverything()
  const pages: (Place | false)[] = [
    isReader && { href: '/', text: 'Overview', icon: 'overview' },
    isReader && { href: '/tail', text: 'Live tail', icon: 'tail' },
    isReader && isWhole && { href: '/sources', text: 'Sources', icon: 'source' },
    may('admin') && isWhole && { href: '/tokens', text: 'Tokens', icon: 'token' },
    { href: '/about', text: 'About', icon: 'about' },
    may('admin') && { href: '/consumers/new', text: 'Create a consumer', icon: 'plus' },
    may('admin') && isWhole && { href: '/sources/new', text: 'Connect a database', icon: 'plus' },
  ]
  return [
    ...pages.filter((page) => page !== false),
    ...consumers.map(({ name, mode, source }): Place => ({
      href: `/consumers/${name}`,
      text: name,
      of: `consumer of ${source}`,
      icon: mode,
    })),
    ...sources.map(({ name }): Place => ({
      href: `/sources/${name}`,
      text: name,
      of: 'source',
      icon: 'source',
    })),
    ...consumers.flatMap(({ name, mode }) =>
      CONSUMER_TABS.map(([tab, text]): Place => ({
        href: `/consumers/${name}/${tab}`,
        text,
        of: name,
        icon: mode,
      })),
    ),
    ...sources.flatMap(({ name }) =>
      SOURCE_TABS.map(([tab, text]): Place => ({
        href: `/sources/${name}/${tab}`,
        text,
        of: name,
        icon: 'source',
      })),
    ),
  ]
}

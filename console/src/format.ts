const integer = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 })

export function formatCount(value: number): string {
  return value < 1_000_000 ? integer.format(value) : compact.format(value)
}

/** Per second. */
export function formatRate(value: number): string {
  if (value === 0) return '0/s'
  if (value < 0.1) return `${(value * 60).toFixed(1)}/min`
  return `${value < 10 ? value.toFixed(1) : formatCount(value)}/s`
}

const UNITS: [size: number, unit: string][] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
]

/** The two largest units: `2 h 5 min`, `14 s`, `120 ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return '0 ms'
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  let rest = Math.round(ms / 1000) * 1000
  const parts: string[] = []
  for (const [size, unit] of UNITS) {
    const amount = Math.floor(rest / size)
    if (amount > 0) parts.push(`${amount} ${unit}`)
    else if (parts.length > 0) break
    rest -= amount * size
    if (parts.length === 2) break
  }
  return parts.join(' ')
}

/** One unit is enough to tell how long ago, and does not flicker: `2 h`, `14 s`. */
export function formatRoughly(ms: number): string {
  return formatDuration(Math.floor(ms / 1000) * 1000)
    .replace(/\.\d s$/, ' s')
    .replace(/^(\d+ (?:d|h|min)) .*/, '$1')
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

const dateTime = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})

/** In the viewer's own time zone. */
export function formatTime(time: string): string {
  return dateTime.format(new Date(time))
}

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})
const exactClock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
})

/** `15:28:11`, of a time in ms since 1970, in the viewer's own time zone. */
export function formatClock(ms: number): string {
  return clock.format(ms)
}

/** `15:28:11.204`, for what follows each other within a second. */
export function formatExactClock(time: string): string {
  return exactClock.format(new Date(time))
}

/** `3 min ago`, `in 20 s`. */
export function formatAgo(time: string, now = Date.now()): string {
  const ms = now - Date.parse(time)
  if (Math.abs(ms) < 1000) return 'just now'
  const text = formatRoughly(Math.abs(ms))
  return ms > 0 ? `${text} ago` : `in ${text}`
}

/** `1 message`, `2 messages` */
export function formatPlural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

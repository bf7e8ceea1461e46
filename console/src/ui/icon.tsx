const PATHS = {
  overview: 'M3 12h4l3-8 4 16 3-8h4',
  tail: 'M4 6h16M4 12h10M4 18h13',
  source:
    'M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3Zm0 0v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14Zm5-2 4.5 4.5',
  token: 'M15 7a4 4 0 1 1-3.5 6L7 17.5H4v-3L9.3 9.2A4 4 0 0 1 15 7Z',
  about: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-10v5m0-8.5v.01',
  plus: 'M12 5v14M5 12h14',
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6 6 18',
  copy: 'M9 9h10v11H9zM5 15H4V4h11v1',
  check: 'M5 12.5 10 17 19 7',
  minus: 'M6 12h12',
  chevron: 'M9 6l6 6-6 6',
  cross: 'M7 7l10 10M17 7 7 17',
  alert: 'M12 4 2.8 19.5h18.4L12 4Zm0 6v4.5m0 2.6v.01',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm0-13v2m0 14v2m9-9h-2M5 12H3m15.4-6.4L17 7M7 17l-1.4 1.4m12.8 0L17 17M7 7 5.6 5.6',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z',
  system: 'M4 5h16v11H4zM9 20h6m-3-4v4',
  exit: 'M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  play: 'M8 5v14l11-7z',
  pause: 'M8 5v14M16 5v14',
  fan: 'M3 12h6m0 0c4 0 3-6 12-6M9 12h12M9 12c4 0 3 6 12 6',
  pull: 'M12 4v12m-5-5 5 5 5-5M5 20h14',
  push: 'M12 16V4m-5 5 5-5 5 5M5 20h14',
  keyboard: 'M3 7h18v10H3zM7 14h10M7 10.5h.01M11 10.5h.01M15 10.5h.01',
} as const

export type IconName = keyof typeof PATHS

/** Says nothing by itself: words stand beside it, or in the label of its button. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      stroke-width={name === 'more' ? 3 : 1.75}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}

export function Logo() {
  return (
    <svg viewBox="0 0 24 24" fill="none" aria-hidden="true">
      <rect width="24" height="24" rx="6" fill="currentColor" />
      <path
        d="M5 12h4.5c3 0 3-5 6-5H19M9.5 12H19M9.5 12c3 0 3 5 6 5H19"
        stroke="#fff"
        stroke-width="1.8"
        stroke-linecap="round"
      />
    </svg>
  )
}

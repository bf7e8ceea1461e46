import type { ComponentChildren } from 'preact'

/** A link within a row of a table that can be clicked as a whole: for keys, and for a new tab. */
export function RowLink({ href, children }: { href: string; children: ComponentChildren }) {
  return (
    <a class="plain nowrap" href={href} onClick={(event) => event.stopPropagation()}>
      {children}
    </a>
  )
}

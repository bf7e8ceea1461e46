/**
 * Puts a text on the clipboard. Browsers offer their clipboard to pages under https and of
 * this machine alone; a console under plain http within a network copies the old way.
 * @throws Error if neither works
 */
export async function copyText(text: string): Promise<void> {
  // The types promise it everywhere; pages under plain http know better.
  const clipboard = navigator.clipboard as Clipboard | undefined
  if (clipboard) return clipboard.writeText(text)
  const before = document.activeElement
  // A modal dialog lets nothing outside of it be selected.
  const place = document.querySelector('dialog[open]') ?? document.body
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'sr-only'
  place.append(area)
  area.select()
  const isCopied = document.execCommand('copy')
  area.remove()
  if (before instanceof HTMLElement) before.focus()
  if (!isCopied) throw new Error('The browser does not let this page copy; select the text.')
}

interface Named {
  readonly text: string
  readonly of?: string
}

/** Those that hold every word, and first of them those that begin with what was typed. */
export function findPlaces<T extends Named>(places: readonly T[], search: string): T[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const found = places.filter(({ text, of = '' }) => {
    const whole = `${of} ${text}`.toLowerCase()
    return words.every((word) => whole.includes(word))
  })
  const [first = ''] = words
  const rank = ({ text }: Named): number => (text.toLowerCase().startsWith(first) ? 0 : 1)
  return found.toSorted((a, b) => rank(a) - rank(b))
}

/** Something was awaited that no progress led to. */
const STALLED_MS = 40_000

/** Counts what happens, and lets others act at the very moment of a count. */
export class Progress {
  #count = 0
  #watchers: { at: number; kind: string; act: () => void }[] = []
  #movedAt = performance.now()

  note(kind: string, count = 1): void {
    this.#count += count
    this.#movedAt = performance.now()
    const due = this.#watchers.filter((each) => each.at <= this.#count && each.kind === kind)
    this.#watchers = this.#watchers.filter((each) => !due.includes(each))
    for (const { act } of due) act()
  }

  /** Acts within the first note of `kind` that finds the count at `at` or beyond. */
  at(at: number, kind: string, act: () => void): void {
    this.#watchers.push({ at, kind, act })
  }

  /** Asks until it is true; gives up where nothing has happened for long. */
  async until(
    what: string,
    condition: () => boolean | Promise<boolean>,
    describe: () => string = () => '',
  ): Promise<void> {
    this.#movedAt = performance.now()
    while (!(await condition())) {
      if (performance.now() - this.#movedAt > STALLED_MS) {
        throw new Error(`nothing happens any more, waiting until ${what}\n${describe()}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

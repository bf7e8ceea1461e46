import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 5
const WAIT_MS_MAX = 45_000

/** Resolves when the condition holds; what it is about is in the error if it never does. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it never came about that ${what}`)
    await delay(POLL_MS)
  }
}

/**
 * What one evaluation of a filter may spend on lists. `all`, `exists`, `map` and the
 * like, one inside the other, visit as many elements as the product of the lengths,
 * and the lists come with the data: without a bound one message could hold up the process.
 */
const ELEMENTS_MAX = 100_000
/** The backstop for elements that are dear, such as `x in record.tags` over a long list. */
const TIME_MAX_MS = 1000
const TIME_CHECK_EVERY = 64

let elements = 0
let deadline = 0

/** Evaluations are synchronous, so there is one budget: this begins it anew. */
export function resetBudget(): void {
  elements = 0
}

/** Counts one element. Throws from the moment the budget is used up, at every call. */
export function spendElement(): void {
  if (elements === 0) deadline = performance.now() + TIME_MAX_MS
  elements++
  if (elements > ELEMENTS_MAX) {
    throw new Error(`The filter looked at more than ${ELEMENTS_MAX} elements of lists.`)
  }
  if (elements % TIME_CHECK_EVERY === 0 && performance.now() > deadline) {
    elements = ELEMENTS_MAX
    throw new Error(`The filter took longer than ${TIME_MAX_MS} ms.`)
  }
}

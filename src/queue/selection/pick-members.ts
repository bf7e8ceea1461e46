import { MemberCursor } from './json-members.ts'

/** Takes the JSON texts of some members out of objects, in the order of their names. */
export class MemberPicker {
  readonly names: readonly string[]
  /** By position of the name: the text of the value, or null where the object has no such member. */
  readonly texts: (string | null)[]
  readonly #quoted: string[]
  readonly #cursor = new MemberCursor()

  constructor(names: readonly string[]) {
    this.names = names
    this.#quoted = names.map((name) => JSON.stringify(name))
    this.texts = names.map(() => null)
  }

  /** Fills `texts`, to be read before the next call; answers how many members were found. */
  pick(json: string): number {
    const { names, texts } = this
    texts.fill(null)
    let found = 0
    const cursor = this.#cursor
    cursor.open(json)
    while (found < names.length && cursor.next()) {
      for (let i = 0; i < names.length; i++) {
        if (texts[i] !== null || !cursor.isNamed(this.#quoted[i]!, names[i]!)) continue
        texts[i] = json.slice(cursor.valueStart, cursor.valueEnd)
        found++
        break
      }
    }
    return found
  }
}

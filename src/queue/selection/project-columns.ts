import { MemberCursor } from './json-members.ts'

/** Leaves out the members of a JSON object that must not leave the system. */
export type Projection = (json: string) => string

/** As many columns as a table of Postgres can have. */
const PLACES_KEPT_MAX = 1600

/**
 * Compiles a rule over columns. Kept members keep their bytes and their order. A rule
 * that names both ways, which saving refuses, keeps what is included and not excluded.
 */
export function compileProjection(rule: {
  include?: readonly string[]
  exclude?: readonly string[]
}): Projection {
  const included = rule.include && new Set(rule.include)
  const excluded = new Set(rule.exclude)
  const keeps = (name: string) => (included?.has(name) ?? true) && !excluded.has(name)
  const cutter = new MemberCutter(keeps)
  return (json) => cutter.cut(json)
}

class MemberCutter {
  readonly #keeps: (name: string) => boolean
  readonly #cursor = new MemberCursor()
  /**
   * The verdict last given at each place. Records of one table have their names in one
   * order, so that comparing a few bytes replaces copying the name and asking for it.
   */
  readonly #places: { quoted: string; kept: boolean }[] = []

  constructor(keeps: (name: string) => boolean) {
    this.#keeps = keeps
  }

  /** Neighbours that are kept are copied as one piece of the text. */
  cut(json: string): string {
    const cursor = this.#cursor
    let out = ''
    let pieceStart = -1
    let pieceEnd = -1
    cursor.open(json)
    for (let place = 0; cursor.next(); place++) {
      if (this.#keepsMember(place)) {
        if (pieceStart === -1) pieceStart = cursor.nameStart
        pieceEnd = cursor.valueEnd
      } else if (pieceStart !== -1) {
        out = appendPiece(out, json.slice(pieceStart, pieceEnd))
        pieceStart = -1
      }
    }
    if (pieceStart !== -1) out = appendPiece(out, json.slice(pieceStart, pieceEnd))
    return `{${out}}`
  }

  #keepsMember(place: number): boolean {
    const cursor = this.#cursor
    const known = this.#places[place]
    if (known !== undefined && cursor.isSpelled(known.quoted)) return known.kept
    const name = cursor.readName()
    const kept = this.#keeps(name)
    // Not a slice of the record: that would keep the whole record in memory.
    if (place < PLACES_KEPT_MAX) this.#places[place] = { quoted: JSON.stringify(name), kept }
    return kept
  }
}

function appendPiece(out: string, piece: string): string {
  return out === '' ? piece : `${out},${piece}`
}

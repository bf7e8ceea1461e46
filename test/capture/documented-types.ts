import { readFileSync } from 'node:fs'

/** A row of `docs/types.md`: what is stored, and what must arrive. */
export interface DocumentedType {
  readonly type: string
  /** A value, as SQL. */
  readonly literal: string
  readonly json: string
  /** What `to_json` makes of it; null: the same. */
  readonly toJson: string | null
}

const DOCUMENT = new URL('../../docs/types.md', import.meta.url)
const ROW =
  /^\| `(?<type>.+?)` \| `(?<literal>.+?)` \| `(?<json>.+)` \| (?:same|`(?<toJson>.+)`) \|$/

/** The tables of the document, so that it cannot say what is not so. */
export function readDocumentedTypes(): DocumentedType[] {
  return readDocument()
    .split('\n')
    .flatMap((line) => {
      const groups = ROW.exec(line)?.groups
      if (!groups) return []
      const { type, literal, json, toJson = null } = groups
      return [{ type: type!, literal: literal!, json: json!, toJson }]
    })
}

/** The SQL that makes the types of its last table. */
export function readTypeDefinitions(): string {
  return /```sql\n(.*?)```/s.exec(readDocument())![1]!
}

/** Rows of its tables about values, whether they could be read or not. */
export function countDocumentedRows(): number {
  return readDocument()
    .split('\n')
    .filter((line) => line.startsWith('| `')).length
}

function readDocument(): string {
  return readFileSync(DOCUMENT, 'utf8')
}

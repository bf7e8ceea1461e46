import type { components, NumberMode } from '@millrace/client'

type Schemas = components['schemas']
type SourceTables = Schemas['SourceTables']
type Table = SourceTables['data'][number]
type ColumnType = Schemas['ColumnType']
type TypeUse = Pick<Table['columns'][number], 'type' | 'dimensions'>

/** Digits that every JavaScript number holds. */
const SAFE_DIGITS = 15

/** Numbers by how the client is told to read them; see the SDK's README. */
const NUMBERS: Record<NumberMode, Record<'Int8' | 'Decimal' | 'Float', string>> = {
  safe: {
    Int8: 'number | bigint',
    Decimal: 'number | bigint | string',
    Float: `number | 'NaN' | 'Infinity' | '-Infinity'`,
  },
  string: {
    Int8: 'number | string',
    Decimal: 'number | string',
    Float: `number | 'NaN' | 'Infinity' | '-Infinity'`,
  },
  native: {
    Int8: 'number',
    Decimal: `number | 'NaN' | 'Infinity' | '-Infinity'`,
    Float: `number | 'NaN' | 'Infinity' | '-Infinity'`,
  },
}

const IDENTIFIER = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u

/** TypeScript for the captured tables of a source: the rows as a client of this mode receives them. */
export function writeTypes(source: string, answer: SourceTables, numbers: NumberMode): string {
  return new TypeWriter(answer, numbers).write(source)
}

/** What is declared is what the tables need, each under a name of its own. */
class TypeWriter {
  readonly #answer: SourceTables
  readonly #numbers: NumberMode
  readonly #types: ReadonlyMap<string, ColumnType>
  readonly #taken = new Set(['Tables', 'Int8', 'Decimal', 'Float'])
  readonly #names = new Map<string, string>()
  readonly #aliases = new Set<'Int8' | 'Decimal' | 'Float'>()
  readonly #declarations: string[] = []

  constructor(answer: SourceTables, numbers: NumberMode) {
    this.#answer = answer
    this.#numbers = numbers
    this.#types = new Map(answer.types.map((type) => [type.type, type]))
  }

  write(source: string): string {
    const captured = this.#answer.data.filter((table) => table.captured)
    // Tables choose their names first: they are what is written by hand elsewhere.
    const names = captured.map(({ schema, table }) => this.#chooseName(schema, table))
    const tables = captured.map((table, index) => this.#writeTable(table, names[index]!))
    const index = captured.map(
      ({ schema, table }, at) => `  ${writeKey(`${schema}.${table}`)}: ${names[at]}\n`,
    )
    const aliases = [...this.#aliases]
      .toSorted()
      .map((name) => `type ${name} = ${NUMBERS[this.#numbers][name]}\n`)
    return [
      `// Rows of the source ${source} as they arrive in \`record\`: made by \`millrace types\`.\n` +
        '// An update leaves out large columns that it did not change, and names them in\n' +
        '// `metadata.unchanged_columns`, unless the table has REPLICA IDENTITY FULL.\n',
      ...(aliases.length === 0 ? [] : [aliases.join('')]),
      ...this.#declarations,
      ...tables,
      `export interface Tables {\n${index.join('')}}\n`,
    ].join('\n')
  }

  #writeTable(table: Table, name: string): string {
    const members = table.columns
      .filter(({ published }) => published)
      .map((column) => writeMember(column.name, orNull(this.#use(column), column.nullable)))
    return `export interface ${name} {\n${members.join('')}}\n`
  }

  #use({ type, dimensions }: TypeUse): string {
    const known = this.#types.get(type)
    if (!known) return 'unknown'
    if (known.kind === 'scalar') return this.#useScalar(known)
    if (known.kind === 'array' && known.base) {
      const element = orNull(this.#use(known.base), true)
      return `${inBrackets(element)}${'[]'.repeat(Math.max(dimensions, 1))}`
    }
    return this.#declare(known)
  }

  #useScalar({ json, precision, scale }: ColumnType): string {
    switch (json) {
      case 'integer':
        return 'number'
      case 'bigint':
        return this.#useAlias('Int8')
      case 'float':
        return this.#useAlias('Float')
      case 'decimal':
        // All that this precision can hold is a number, or none.
        return precision !== null && precision - Math.min(scale ?? 0, 0) <= SAFE_DIGITS
          ? `number | 'NaN'`
          : this.#useAlias('Decimal')
      case 'any':
        return 'unknown'
      case 'map':
        return 'Record<string, string | null>'
      default:
        return json ?? 'unknown'
    }
  }

  #useAlias(name: 'Int8' | 'Decimal' | 'Float'): string {
    this.#aliases.add(name)
    return name
  }

  /** The name of an enum, a domain or a composite; declared when it is used first. */
  #declare(type: ColumnType): string {
    // Without a modifier there is one of it, however it was spelled.
    const key = `${type.schema}.${type.name}`
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const name = this.#chooseName(type.schema, type.name)
    // Before its parts: a composite may hold an array of itself.
    this.#names.set(key, name)
    this.#declarations.push(this.#writeDeclaration(type, name))
    return name
  }

  #writeDeclaration({ labels, fields, base }: ColumnType, name: string): string {
    if (labels) return `export type ${name} = ${labels.map(quote).join(' | ')}\n`
    if (base) return `export type ${name} = ${this.#use(base)}\n`
    const members = (fields ?? []).map((field) =>
      writeMember(field.name, orNull(this.#use(field), true)),
    )
    return `export interface ${name} {\n${members.join('')}}\n`
  }

  #chooseName(schema: string, name: string): string {
    const wanted = toPascalCase(schema === 'public' ? name : `${schema}_${name}`)
    let chosen = wanted
    for (let at = 2; this.#taken.has(chosen); at++) chosen = `${wanted}${at}`
    this.#taken.add(chosen)
    return chosen
  }
}

function orNull(type: string, nullable: boolean): string {
  return nullable && type !== 'unknown' ? `${type} | null` : type
}

function inBrackets(type: string): string {
  return type.includes(' ') ? `(${type})` : type
}

function writeMember(name: string, type: string): string {
  return `  ${writeKey(name)}: ${type}\n`
}

function writeKey(name: string): string {
  return IDENTIFIER.test(name) ? name : quote(name)
}

/** As JSON escapes it; the line separators too, which a name may hold. */
function quote(text: string): string {
  const inside = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${inside.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')}'`
}

function toPascalCase(name: string): string {
  const words = name.split(/[^\p{ID_Continue}]+|_+/u).filter((word) => word !== '')
  const joined = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
  return IDENTIFIER.test(joined) ? joined : `T${joined}`
}

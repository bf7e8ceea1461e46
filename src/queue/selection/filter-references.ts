import type { ASTNode } from '@marcbachmann/cel-js'

import { spendElement } from './filter-budget.ts'
import { LINEAR_MATCHES } from './filter-environment.ts'
import { FilterError } from './filter-error.ts'
import { compileRegex } from './filter-regex.ts'

const FILTER_VARIABLES = ['record', 'changes', 'action', 'metadata'] as const
export type FilterVariable = (typeof FILTER_VARIABLES)[number]

/** A place where the expression reads a variable; `member` null: as a whole. */
export interface FilterReference {
  readonly variable: FilterVariable
  readonly member: string | null
  readonly offset: number
}

export type LiteralKind = 'number' | 'string' | 'boolean' | 'timestamp'

/** A column compared with a literal, so that the column's type can be held against it. */
export interface FilterComparison {
  readonly variable: 'record' | 'changes'
  readonly column: string
  readonly literal: LiteralKind
  readonly offset: number
}

/** Each nests or feeds another, so their number bounds how a value can grow. */
const MACROS_MAX = 8
const ADDITIONS_MAX = 16

const MACROS = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])
const COMPARISONS = new Set(['==', '!=', '<', '<=', '>', '>='])
const REFUSED: Record<string, string> = {
  bind: 'cel.bind is not available in filters: write the value out.',
  join: 'join is not available in filters: look at the elements with exists or all.',
}

/** What a filter reads, found by walking over its parsed form. */
export class FilterReferences {
  readonly references: FilterReference[] = []
  readonly comparisons: FilterComparison[] = []
  readonly #expression: string
  #macros = 0
  #additions = 0

  /**
   * Walks the expression before it is type-checked, and arms it on the way: lists are
   * counted, and `matches` becomes the linear one.
   * @throws FilterError for what filters do not allow
   */
  constructor(expression: string, ast: ASTNode) {
    this.#expression = expression
    this.#visit(ast)
  }

  /** The members read of a variable; null: all of them; empty: the variable is not read. */
  membersOf(variable: FilterVariable): string[] | null {
    const members = new Set<string>()
    for (const reference of this.references) {
      if (reference.variable !== variable) continue
      if (reference.member === null) return null
      members.add(reference.member)
    }
    return [...members]
  }

  #visit(node: ASTNode): void {
    const read = readMember(node)
    if (read) {
      this.references.push(read)
      return
    }
    if (node.op === 'id' && isVariable(node.args)) {
      this.references.push({ variable: node.args, member: null, offset: node.start })
      return
    }
    if (node.op === '+' && ++this.#additions > ADDITIONS_MAX) {
      throw this.#refuse(node, `A filter may add at most ${ADDITIONS_MAX} times.`)
    }
    if (node.op === 'rcall') this.#visitMethod(node)
    if (COMPARISONS.has(node.op)) this.#noteComparison(node.args as [ASTNode, ASTNode])
    this.#visitAll(node.args)
  }

  #visitAll(args: unknown): void {
    if (Array.isArray(args)) for (const each of args) this.#visitAll(each)
    else if (isNode(args)) this.#visit(args)
  }

  #visitMethod(node: ASTNode & { op: 'rcall' }): void {
    const [name, , args] = node.args
    if (Object.hasOwn(REFUSED, name)) throw this.#refuse(node, REFUSED[name]!)
    if (name === 'matches' && args.length === 1) this.#useLinearMatches(node)
    if (MACROS.has(name) && args.length > 1) this.#countElements(node)
  }

  /** A pattern out of the data could be of any size; a literal is checked here, once. */
  #useLinearMatches(node: ASTNode & { op: 'rcall' }): void {
    const pattern = node.args[2][0]!
    if (pattern.op !== 'value' || typeof pattern.args !== 'string') {
      throw this.#refuse(pattern, 'The pattern of matches() must be a string in the expression.')
    }
    try {
      compileRegex(pattern.args)
    } catch (error) {
      throw this.#refuse(pattern, error instanceof Error ? error.message : String(error))
    }
    node.args[0] = LINEAR_MATCHES
  }

  #countElements(node: ASTNode & { op: 'rcall' }): void {
    const iterated = node.args[2][0]!
    if (iterated.op === 'id' && isVariable(iterated.args)) {
      throw this.#refuse(
        iterated,
        `${iterated.args} is the message's own: give the element another name.`,
      )
    }
    if (++this.#macros > MACROS_MAX) {
      throw this.#refuse(
        node,
        `A filter may use all, exists, exists_one, map and filter at most ${MACROS_MAX} times.`,
      )
    }
    const { loop } = expansionOf(node)
    const goesOn = loop.condition
    loop.condition = (value) => {
      spendElement()
      return goesOn === undefined || goesOn(value)
    }
  }

  #noteComparison([left, right]: [ASTNode, ASTNode]): void {
    for (const [read, other] of [
      [readMember(left), right],
      [readMember(right), left],
    ] as const) {
      if (!read || read.member === null) continue
      if (read.variable !== 'record' && read.variable !== 'changes') continue
      const literal = kindOfLiteral(other)
      if (literal === null) continue
      const { variable, member: column, offset } = read
      this.comparisons.push({ variable, column, literal, offset })
    }
  }

  #refuse(node: ASTNode, message: string): FilterError {
    return new FilterError(message, this.#expression, node.start)
  }
}

function readMember(node: ASTNode): FilterReference | null {
  if (node.op !== '.' && node.op !== '[]') return null
  const [receiver, selector] = node.args
  if (receiver.op !== 'id' || !isVariable(receiver.args)) return null
  const name = typeof selector === 'string' ? selector : readString(selector)
  if (name === null) return null
  const offset = typeof selector === 'string' ? node.end - name.length : selector.start
  return { variable: receiver.args, member: name, offset }
}

function readString(node: ASTNode): string | null {
  return node.op === 'value' && typeof node.args === 'string' ? node.args : null
}

function kindOfLiteral(node: ASTNode): LiteralKind | null {
  if (node.op === '-_') return kindOfLiteral(node.args) === 'number' ? 'number' : null
  if (node.op === 'call') return node.args[0] === 'timestamp' ? 'timestamp' : null
  if (node.op !== 'value') return null
  const kind = typeof node.args
  if (kind === 'bigint' || kind === 'number') return 'number'
  return kind === 'string' || kind === 'boolean' ? kind : null
}

function isVariable(name: unknown): name is FilterVariable {
  return (FILTER_VARIABLES as readonly unknown[]).includes(name)
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value
}

/**
 * The loop that a macro was expanded to while parsing, whose condition is asked before
 * every element. The library does not declare it in its types; a test holds it to it.
 */
function expansionOf(node: ASTNode): { loop: { condition?: (value: unknown) => boolean } } {
  const { meta } = node as unknown as {
    meta: { alternate: { args: { condition?: (value: unknown) => boolean } } }
  }
  return { loop: meta.alternate.args }
}

import type { z } from '@hono/zod-openapi'
import { isScalar, LineCounter, parseDocument, visit, type Document, type Scalar } from 'yaml'

import type { Environment } from '../config.ts'
import { MillraceError } from '../errors.ts'
import { configurationSchema, type Configuration } from '../http/schemas/configuration.ts'
import { validateBody } from '../http/validate.ts'
import { parsePointer } from '../json-pointer.ts'
import { closestName } from '../closest-name.ts'
import { ConfigurationFileError, type FileFault } from './configuration-error.ts'
import { findPlace } from './find-place.ts'
import { createConfigurationSchema, listSettings } from './json-schema.ts'
import { hasVariables, substituteVariables, VariableError } from './substitute-variables.ts'

export interface ConfigurationFile {
  readonly configuration: Configuration
  /** What the server finds wrong with it, told by line and column. */
  locate: (error: MillraceError) => ConfigurationFileError
}

type Issue = z.core.$ZodIssue

/** A file beyond this was not written by hand. */
const FILE_CHARACTERS_MAX = 4 * 1024 * 1024

/**
 * Reads a `millrace.yaml`: puts variables in their places and checks every setting.
 * @param name of the file, for messages
 * @throws ConfigurationFileError with every fault, by line and column
 */
export function readConfiguration(
  name: string,
  text: string,
  environment: Environment,
): ConfigurationFile {
  if (text.length > FILE_CHARACTERS_MAX) {
    throw new ConfigurationFileError(name, [{ message: 'is larger than 4 MiB' }])
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, merge: true })
  failIfAny(name, describeSyntax(document, text))
  const { faults, plain } = substituteAll(document, lines, environment)
  failIfAny(name, faults)
  let value = toValue(document, name)
  const issues = configurationSchema.safeParse(value).error?.issues ?? []
  if (giveTypes(document, issues, plain)) value = toValue(document, name)
  const place = (pointer: string, isValue: boolean): FileFault =>
    ({ ...findPlace(document, lines, parsePointer(pointer), isValue) }) as FileFault
  try {
    return {
      configuration: validateBody(configurationSchema, value),
      locate: (error) => toFileError(name, error, (pointer) => place(pointer, true)),
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    const detailed = new MillraceError(error.code, error.message, {
      errors: error.errors.map((fault) => ({ ...fault, detail: addHint(fault, value) })),
    })
    throw toFileError(name, detailed, (pointer) => place(pointer, !isUnknownKey(error, pointer)))
  }
}

function failIfAny(name: string, faults: readonly FileFault[]): void {
  if (faults.length > 0) throw new ConfigurationFileError(name, faults)
}

/** The first error alone: those after it mostly follow from it. */
function describeSyntax({ errors }: Document.Parsed, text: string): FileFault[] {
  const [first] = errors
  if (!first) return []
  const [start] = first.linePos ?? []
  // `{a: ${B}}` is a map in a map to YAML.
  const message =
    text.slice(first.pos[0] - 1, first.pos[0] + 1) === '${'
      ? 'a variable inside of { } or [ ] needs quotes: "${NAME}"'
      : first.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')
  return [{ ...(start ? { line: start.line, column: start.col } : {}), message }]
}

/** Texts are substituted after parsing: no value can change what the file says around it. */
function substituteAll(
  document: Document.Parsed,
  lines: LineCounter,
  environment: Environment,
): { faults: FileFault[]; plain: Set<Scalar> } {
  const faults: FileFault[] = []
  const plain = new Set<Scalar>()
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !hasVariables(node.value)) return
      try {
        node.value = substituteVariables(node.value, environment)
        if (node.type === 'PLAIN') plain.add(node)
      } catch (error) {
        if (!(error instanceof VariableError)) throw error
        const { line, col } = lines.linePos(node.range?.[0] ?? 0)
        faults.push({ line, column: col, message: error.message })
      }
    },
  })
  return { faults, plain }
}

function toValue(document: Document.Parsed, name: string): unknown {
  try {
    // An empty file asks for nothing.
    return document.toJS({ maxAliasCount: 1000 }) ?? {}
  } catch (error) {
    throw new ConfigurationFileError(name, [{ message: (error as Error).message }])
  }
}

/**
 * A variable's value is a text; where a setting wants a number or a boolean it is read
 * as one. A password of digits stays a text.
 */
function giveTypes(
  document: Document.Parsed,
  issues: readonly Issue[],
  plain: ReadonlySet<Scalar>,
): boolean {
  let isAnyGiven = false
  for (const issue of issues) {
    if (issue.code !== 'invalid_type') continue
    const node = document.getIn(issue.path, true)
    if (!isScalar(node) || !plain.has(node)) continue
    const typed = readTyped(String(node.value))
    if (typed === undefined) continue
    node.value = typed
    isAnyGiven = true
  }
  return isAnyGiven
}

function readTyped(text: string): number | boolean | null | undefined {
  if (/^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text)
  const words: Record<string, boolean | null> = { true: true, false: false, null: null }
  return words[text]
}

const UNKNOWN = 'is not a field of this call'

function isUnknownKey(error: MillraceError, pointer: string): boolean {
  return error.errors.some((fault) => fault.pointer === pointer && fault.detail === UNKNOWN)
}

function addHint({ pointer, detail }: { pointer: string; detail: string }, root: unknown): string {
  const path = parsePointer(pointer)
  if (detail === UNKNOWN) {
    const known = listSettings(createConfigurationSchema(), path.slice(0, -1))
    return `is not a setting${hintAt(path.at(-1) ?? '', known)}`
  }
  const [, values] = /^must be one of (.+)$/.exec(detail) ?? []
  if (values === undefined) return detail
  let given = root
  for (const part of path) given = (given as Record<string, unknown> | undefined)?.[part]
  return `${detail}${hintAt(String(given), values.split(', '))}`
}

function hintAt(given: string, known: readonly string[]): string {
  const closest = closestName(given, known)
  return closest === undefined ? '' : `; did you mean "${closest}"?`
}

function toFileError(
  name: string,
  error: MillraceError,
  findFault: (pointer: string) => FileFault,
): ConfigurationFileError {
  const faults = error.errors.map(({ pointer, detail }) => ({
    ...findFault(pointer),
    message: `${pointer.slice(1).replaceAll('/', '.')} ${detail}`.trim(),
  }))
  // As one reads a file, not as the checks went.
  faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
  return new ConfigurationFileError(
    name,
    faults.length > 0 ? faults : [{ message: error.message }],
    { cause: error },
  )
}

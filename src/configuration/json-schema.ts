import { z } from '@hono/zod-openapi'

import { configurationSchema } from '../http/schemas/configuration.ts'

/** The part of JSON Schema that the schemas are made of. */
export interface JsonSchema {
  $ref?: string
  type?: string | string[]
  pattern?: string
  format?: string
  enum?: unknown[]
  const?: unknown
  minLength?: number
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  items?: JsonSchema
  anyOf?: JsonSchema[]
  $defs?: Record<string, JsonSchema>
  definitions?: Record<string, JsonSchema>
  [keyword: string]: unknown
}

const VARIABLE: JsonSchema = { type: 'string', pattern: '\\$\\{' }

/** Of a file before its variables have their values. For editors, which know draft 7 best. */
export function createFileSchema(): JsonSchema {
  const { $schema, ...schema } = allowVariables(createConfigurationSchema())
  return {
    $schema,
    title: 'millrace.yaml',
    description:
      'Sources, consumers and tokens of Millrace. ${VAR} and ${VAR:-default} take values from the environment; $$ is a $.',
    ...schema,
  }
}

/** Of a configuration whose variables have their values. */
export function createConfigurationSchema(): JsonSchema {
  return z.toJSONSchema(configurationSchema, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema
}

/** Wherever a value has a form that a variable lacks, a variable may stand as well. */
function allowVariables(schema: JsonSchema): JsonSchema {
  const { properties, additionalProperties, items, anyOf, definitions, $defs } = schema
  const mapValues = (map: Record<string, JsonSchema>): Record<string, JsonSchema> =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [key, allowVariables(value)]))
  const inner: JsonSchema = {
    ...schema,
    ...(properties && { properties: mapValues(properties) }),
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: allowVariables(additionalProperties),
    }),
    ...(items && { items: allowVariables(items) }),
    ...(anyOf && { anyOf: anyOf.map(allowVariables) }),
    ...(definitions && { definitions: mapValues(definitions) }),
    ...($defs && { $defs: mapValues($defs) }),
  }
  if (!isFormed(schema)) return inner
  const { description, default: byDefault, examples, example: _example, ...rest } = inner
  return {
    ...(description === undefined ? {} : { description }),
    ...(byDefault === undefined ? {} : { default: byDefault }),
    ...(examples === undefined ? {} : { examples }),
    anyOf: [rest, VARIABLE],
  }
}

function isFormed({ type, pattern, format, enum: values, const: value }: JsonSchema): boolean {
  if (type === 'integer' || type === 'number' || type === 'boolean') return true
  return (
    type === 'string' &&
    (pattern !== undefined || format !== undefined || values !== undefined || value !== undefined)
  )
}

/** The names of the settings at a place; empty: any name may stand there. */
export function listSettings(root: JsonSchema, path: readonly PropertyKey[]): string[] {
  let places = unfold(root, root)
  for (const part of path) {
    places = places.flatMap((place) => unfold(root, stepInto(place, String(part))))
  }
  return [...new Set(places.flatMap(({ properties = {} }) => Object.keys(properties)))]
}

function stepInto(
  { properties, additionalProperties, items }: JsonSchema,
  part: string,
): JsonSchema | undefined {
  if (properties && Object.hasOwn(properties, part)) return properties[part]
  if (items && /^\d+$/.test(part)) return items
  return typeof additionalProperties === 'object' ? additionalProperties : undefined
}

function unfold(root: JsonSchema, schema: JsonSchema | undefined): JsonSchema[] {
  if (!schema) return []
  const [, name] = /^#\/(?:definitions|\$defs)\/(.+)$/.exec(schema.$ref ?? '') ?? []
  if (name !== undefined) return unfold(root, (root.definitions ?? root.$defs)?.[name])
  const members = (schema['allOf'] as JsonSchema[] | undefined) ?? []
  return [schema, ...[...(schema.anyOf ?? []), ...members].flatMap((each) => unfold(root, each))]
}

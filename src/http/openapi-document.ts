import { OpenAPIHono, z } from '@hono/zod-openapi'
import { stringify } from 'yaml'

import { bodyLimitOf, type RouteDefinition, type RouteDefinitions } from './route.ts'
import { problemSchema } from './schemas/shared.ts'

type PathConfig = Parameters<OpenAPIHono['openAPIRegistry']['registerPath']>[0]

/** By status; they are named `Refusal400` and so on in the document. */
const REFUSALS: Record<number, string> = {
  400: 'Malformed.',
  401: 'The token is missing, unknown, revoked or expired.',
  403: 'The token lacks the scope.',
  404: 'There is no such thing, or the token is not for it.',
  409: 'In conflict with how things are; the code says which.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  422: 'Not valid; nothing was changed.',
  429: 'Too many at once; Retry-After says when to come again.',
  503: 'Draining, or the storage is away; Retry-After says when to come again.',
}

const PARAMETERS: Record<string, string> = {
  consumer: 'Name or id of the consumer.',
  source: 'Name or id of the source.',
  token: 'Id of the token.',
  id: 'Id of the backfill.',
}

const TAGS = [
  { name: 'Queue', description: 'Receive messages and settle them.' },
  { name: 'Consumers', description: 'Named views of the log, one for each service.' },
  { name: 'Sources', description: 'Databases whose changes are captured.' },
  { name: 'Tokens', description: 'Who may do what.' },
  { name: 'Backfills', description: 'Bringing the rows that exist already.' },
  { name: 'Operations', description: 'Health, metrics and this document.' },
  { name: 'Sequin', description: 'The calls of Sequin’s clients, who change a URL and a token.' },
]

/** `openapi.yaml`, made of the same schemas that check requests. */
export function createOpenApiYaml(definitions: RouteDefinitions): string {
  const app = new OpenAPIHono()
  const registry = app.openAPIRegistry
  registry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token: `mr_<id>_<secret>`.',
  })
  registry.register('Problem', problemSchema)
  for (const [status, description] of Object.entries(REFUSALS)) {
    const schema = { $ref: '#/components/schemas/Problem' }
    registry.registerComponent('responses', `Refusal${status}`, {
      description,
      content: { 'application/problem+json': { schema } },
    })
  }
  for (const [operationId, definition] of Object.entries(definitions)) {
    registry.registerPath(describeRoute(operationId, definition))
  }
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: '1',
      description:
        'Turns the committed changes of a Postgres table into work queues. JSON in snake_case; times are RFC 3339 in UTC; durations are whole ms in fields that end in `_ms`.',
      license: { name: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: TAGS,
  })
  forgetDefaults(document.components?.schemas ?? {})
  return stringify(document, { lineWidth: 0, aliasDuplicateObjects: false })
}

/** What PATCH leaves out stays as it is: a client that filled in defaults would reset it. */
function forgetDefaults(schemas: Record<string, object>): void {
  for (const [name, schema] of Object.entries(schemas)) {
    if (!name.endsWith('Patch') || !('properties' in schema)) continue
    for (const property of Object.values(schema.properties as Record<string, object>)) {
      if ('default' in property) delete property.default
    }
  }
}

function describeRoute(operationId: string, definition: RouteDefinition): PathConfig {
  const { access, query, body } = definition
  const params = describeParams(definition.path)
  return {
    method: definition.method,
    path: definition.path,
    operationId,
    tags: [definition.tag],
    summary: definition.summary,
    description: describeAccess(definition),
    ...(access === 'public' ? { security: [] } : {}),
    request: {
      ...(params ? { params } : {}),
      ...(query ? { query: query as z.ZodObject } : {}),
      ...(body ? { body: describeBody(definition, body) } : {}),
    },
    responses: { ...describeAnswers(definition), ...describeRefusals(definition) },
  }
}

function describeAccess({ access, description }: RouteDefinition): string {
  const needs = access === 'public' ? 'Needs no token.' : `Scope: \`${access.scope}\`.`
  return description === undefined ? needs : `${description}\n\n${needs}`
}

function describeParams(path: string): z.ZodObject | undefined {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)
  if (names.length === 0) return undefined
  return z.object(
    Object.fromEntries(
      names.map((name) => [name, z.string().meta({ description: PARAMETERS[name] ?? '' })]),
    ),
  )
}

function describeBody(definition: RouteDefinition, body: NonNullable<RouteDefinition['body']>) {
  const examples = Object.entries(body.examples ?? {}).map(([name, value]) => [name, { value }])
  return {
    required: !body.isOptional,
    description: `At most ${bodyLimitOf(definition) / 1024} KiB.`,
    content: {
      'application/json': {
        schema: body.schema,
        ...(examples.length > 0 ? { examples: Object.fromEntries(examples) } : {}),
      },
    },
  }
}

function describeAnswers(definition: RouteDefinition): PathConfig['responses'] {
  return Object.fromEntries(
    Object.entries(definition.answers).map(([status, { description, schema, contentType }]) => [
      status,
      {
        description,
        ...(schema
          ? { content: { [contentType ?? 'application/json']: { schema } } }
          : contentType === undefined
            ? {}
            : { content: { [contentType]: { schema: z.string() } } }),
      },
    ]),
  )
}

/** Most follow from what a call takes; the rest it names. */
function describeRefusals(definition: RouteDefinition): PathConfig['responses'] {
  const statuses = new Set<number>(definition.refusals)
  if (definition.access !== 'public') for (const status of [401, 403, 503]) statuses.add(status)
  if (definition.path.includes('{')) statuses.add(404)
  if (definition.query) statuses.add(400)
  if (definition.body) for (const status of [400, 413, 415, 422]) statuses.add(status)
  return Object.fromEntries(
    [...statuses]
      .toSorted((a, b) => a - b)
      .map((status) => [status, { $ref: `#/components/responses/Refusal${status}` }]),
  )
}

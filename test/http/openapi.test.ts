import { readFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

import { allDefinitions } from '../../src/http/all-definitions.ts'
import { createOpenApiYaml } from '../../src/http/openapi-document.ts'

interface Operation {
  operationId: string
  responses: Record<string, unknown>
  security?: unknown[]
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> }
}
interface Schema {
  type?: string
  properties?: Record<string, { description?: string }>
}
interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

const made = createOpenApiYaml(allDefinitions)
const document = parse(made) as Document
const operations = Object.values(document.paths).flatMap((path) => Object.values(path))

describe('openapi.yaml', () => {
  test('is what the schemas make; run `npm run openapi` after a change', async () => {
    expect(await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8')).toBe(made)
  })

  test('names every call, and every body by a schema of its own', () => {
    expect(operations.map(({ operationId }) => operationId).toSorted()).toEqual(
      Object.keys(allDefinitions).toSorted(),
    )
    for (const { operationId, requestBody } of operations) {
      const schema = requestBody?.content['application/json']?.schema
      if (schema) expect([operationId, schema.$ref]).toEqual([operationId, expect.any(String)])
    }
  })

  test('says of every guarded call that it may refuse the token', () => {
    for (const { operationId, responses, security } of operations) {
      const isOpen = security?.length === 0
      expect([operationId, '401' in responses, '403' in responses]).toEqual([
        operationId,
        !isOpen,
        !isOpen,
      ])
    }
  })

  test('gives no default to what a PATCH leaves out: it stays as it is', () => {
    const patches = Object.entries(document.components.schemas).filter(([name]) =>
      name.endsWith('Patch'),
    )
    expect(patches.map(([name]) => name)).toEqual(['ConsumerPatch', 'SourcePatch'])
    for (const [name, { properties = {} }] of patches) {
      const withDefault = Object.entries(properties).filter(([, field]) => 'default' in field)
      expect([name, withDefault.map(([field]) => field)]).toEqual([name, []])
    }
  })

  test('gives the unit of every duration and size', () => {
    for (const [name, { properties }] of Object.entries(document.components.schemas)) {
      for (const [field, schema] of Object.entries(properties ?? {})) {
        if (!/_(?:ms|bytes|size)$/.test(field)) continue
        expect([name, field, schema.description]).toEqual([name, field, expect.any(String)])
      }
    }
  })
})

// Writes the types of the API from openapi.yaml; `--check` fails if they are not up to date.
import { readFile, writeFile } from 'node:fs/promises'

import openapiTS, { astToString } from 'openapi-typescript'

const source = new URL('../openapi.yaml', import.meta.url)
const target = new URL('./src/generated/schema.ts', import.meta.url)

const header = '// Made from openapi.yaml by `npm run sdk`.\n\n'
const generated = header + astToString(await openapiTS(source, { defaultNonNullable: false }))

if (process.argv.includes('--check')) {
  const committed = await readFile(target, 'utf8').catch(() => '')
  if (committed !== generated) {
    console.error('sdk/src/generated/schema.ts does not match openapi.yaml: run `npm run sdk`')
    process.exitCode = 1
  }
} else await writeFile(target, generated)

import { readFile, writeFile } from 'node:fs/promises'

import { createFileSchema } from './json-schema.ts'

const FILE = new URL('../../docs/millrace.schema.json', import.meta.url)

const made = `${JSON.stringify(createFileSchema(), null, 2)}\n`
if (process.argv.includes('--check')) {
  const kept = await readFile(FILE, 'utf8').catch(() => '')
  if (kept !== made) {
    console.error(
      'docs/millrace.schema.json differs from the schemas; run "npm run config-schema" and commit it',
    )
    process.exitCode = 1
  }
} else {
  await writeFile(FILE, made)
}

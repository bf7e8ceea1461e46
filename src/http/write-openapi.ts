import { readFile, writeFile } from 'node:fs/promises'

import { allDefinitions } from './all-definitions.ts'
import { createOpenApiYaml } from './openapi-document.ts'

const FILE = new URL('../../openapi.yaml', import.meta.url)

const made = createOpenApiYaml(allDefinitions)
if (process.argv.includes('--check')) {
  const kept = await readFile(FILE, 'utf8').catch(() => '')
  if (kept !== made) {
    const line = findFirstDifference(kept, made)
    console.error(
      `openapi.yaml differs from the schemas, first in line ${line}; run "npm run openapi", look at "git diff openapi.yaml" and commit it`,
    )
    process.exitCode = 1
  }
} else {
  await writeFile(FILE, made)
}

function findFirstDifference(a: string, b: string): number {
  const linesOfA = a.split('\n')
  const linesOfB = b.split('\n')
  const length = Math.max(linesOfA.length, linesOfB.length)
  for (let i = 0; i < length; i++) if (linesOfA[i] !== linesOfB[i]) return i + 1
  return length
}

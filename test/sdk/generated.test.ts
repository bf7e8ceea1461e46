import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

test('the types of the API are those of openapi.yaml', async () => {
  const generate = fileURLToPath(new URL('../../sdk/generate.ts', import.meta.url))

  const check = promisify(execFile)(process.execPath, [generate, '--check'])

  await expect(check).resolves.toMatchObject({ stderr: '' })
})

import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

/** What the compiler says of these files in a project that has the client; empty: nothing. */
export async function compileTypeScript(files: Record<string, string>): Promise<string> {
  // Below node_modules, so that the client is found.
  const cache = join(CHECKOUT, 'node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const directory = await mkdtemp(join(cache, 'project-'))
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      allowImportingTsExtensions: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
      types: [],
      noEmit: true,
      skipLibCheck: true,
    }
    const project = { compilerOptions, files: Object.keys(files) }
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(project))
    const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')
    return await promisify(execFile)(process.execPath, [tsc, '-p', directory]).then(
      ({ stdout }) => stdout,
      (error: unknown) => (error as { stdout: string }).stdout,
    )
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

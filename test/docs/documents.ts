import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

/** Every document of the project, by its path in the checkout. */
export async function listDocuments(): Promise<string[]> {
  const { stdout } = await promisify(execFile)(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'],
    { cwd: CHECKOUT },
  )
  return stdout.split('\n').filter((path) => path !== '')
}

export function readDocument(path: string): Promise<string> {
  return readFile(join(CHECKOUT, path), 'utf8')
}

/** The code in blocks of a language, in order. */
export function findBlocks(text: string, language: string): string[] {
  const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms')
  return [...text.matchAll(pattern)].map(([, code = '']) => code)
}

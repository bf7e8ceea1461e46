import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { describe, expect, test } from 'vitest'

import { runCommand } from '../support/run-cli.ts'

async function writeScript(shell: string): Promise<string> {
  const { code, out } = await runCommand({}, ['completion', shell])
  expect(code).toBe(0)
  return out.join('\n')
}

/** What bash offers behind these words, the last of which is being typed. */
async function completeInBash(...words: string[]): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-completion-'))
  try {
    const file = join(directory, 'completion.bash')
    await writeFile(file, await writeScript('bash'))
    const script = `source ${file}
      COMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _millrace; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout } = await promisify(execFile)('bash', [
      '--norc',
      '-c',
      script,
      '-',
      'millrace',
      ...words,
    ])
    return stdout.split('\n').filter((line) => line !== '')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Every command by its words, groups left out. */
async function listCommands(): Promise<string[]> {
  const script = await writeScript('bash')
  return [...script.matchAll(/^ {4}'([^']+)'\) words=''/gm)].map(([, path = '']) => path)
}

describe('completion', () => {
  test('in bash offers commands, those of a group, and the flags of one', async () => {
    expect(await completeInBash('cons')).toEqual(['consumers'])
    expect(await completeInBash('consumers', 'p')).toEqual(['put', 'pause'])
    expect(await completeInBash('consumers', 'pause', 'shipping', '--re')).toEqual(['--reason'])
    expect(await completeInBash('nonsense', 'cons')).toEqual(['consumers'])
    expect(await completeInBash('stats', '')).toEqual([])
  })

  test('in bash offers files to commands that take one, and flags behind a dash', async () => {
    expect(await completeInBash('apply', 'package.j')).toEqual(['package.json'])
    expect(await completeInBash('tail', 'package.j')).toEqual([])
    expect(await completeInBash('apply', '--p')).toEqual(['--prune'])
  })

  test.for(['zsh', 'fish'])('in %s knows every command', async (shell) => {
    const script = await writeScript(shell)

    for (const path of await listCommands()) expect(script).toContain(`'${path}'`)
  })

  test('is refused for another shell', async () => {
    expect((await runCommand({}, ['completion', 'toString'])).code).toBe(2)
  })
})

describe('every command', () => {
  test('is there', async () => {
    const names = new Set((await listCommands()).map((path) => path.split(' ')[0]))
    const wanted = `dev serve migrate doctor sources consumers tokens receive ack nack tail stats
      seek replay redrive backfill plan apply export types bench login logout completion`.split(
      /\s+/,
    )

    expect(wanted.filter((name) => !names.has(name))).toEqual([])
  })

  test('has examples in its help, and --json where it says something to programs', async () => {
    const withoutJson = ['dev', 'serve', 'sql', 'completion']
    for (const path of await listCommands()) {
      const { code, out } = await runCommand({}, [...path.split(' '), '--help'])
      const help = out.join('\n')

      expect([path, code]).toEqual([path, 0])
      expect(help).toMatch(/Example/)
      expect(help).toContain('millrace ')
      expect([path, help.includes('--json')]).toEqual([path, !withoutJson.includes(path)])
    }
  })
})

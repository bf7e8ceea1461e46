import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { ConfigError, type Environment } from '../config.ts'

/** What `millrace login` keeps. */
export interface Login {
  readonly url: string
  readonly token: string
}

/** Where it is kept; undefined: this environment has no home. */
export function findLoginFile(environment: Environment): string | undefined {
  const home = environment['HOME'] || environment['USERPROFILE']
  const directory = environment['XDG_CONFIG_HOME'] || (home ? join(home, '.config') : undefined)
  return directory === undefined ? undefined : join(directory, 'millrace', 'login.json')
}

/** @throws ConfigError where others can read it, or it is not what was written */
export async function readLogin(environment: Environment): Promise<Login | undefined> {
  const file = findLoginFile(environment)
  if (file === undefined) return undefined
  let text: string
  try {
    const { mode } = await stat(file)
    // Windows has no such bits.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new ConfigError([`${file} holds a token and others may read it: chmod 600 ${file}`])
    }
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return parseLogin(text, file)
}

/** In one go, and never readable by others, whatever was there before. */
export async function writeLogin(environment: Environment, login: Login): Promise<string> {
  const file = findLoginFile(environment)
  if (file === undefined) throw new ConfigError(['There is no home to keep it in: set HOME'])
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  try {
    await writeFile(draft, `${JSON.stringify(login)}\n`, { mode: 0o600, flag: 'wx' })
    // The mode above is cut by the umask.
    await chmod(draft, 0o600)
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  return file
}

/** True: there was one. */
export async function removeLogin(environment: Environment): Promise<boolean> {
  const file = findLoginFile(environment)
  if (file === undefined) return false
  try {
    await rm(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function parseLogin(text: string, file: string): Login {
  try {
    const { url, token } = JSON.parse(text) as Partial<Login>
    if (URL.canParse(url ?? '') && typeof token === 'string') return { url: url!, token }
  } catch {
    // Said below.
  }
  throw new ConfigError([`${file} is damaged: run \`millrace login\` again`])
}

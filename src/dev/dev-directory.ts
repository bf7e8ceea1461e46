import { randomBytes } from 'node:crypto'
import { access, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

import { SetUpError } from './set-up-error.ts'

const SECRET_MODE = 0o600

/** What `millrace dev` keeps between runs. Secrets are files that only their owner can read. */
export interface DevDirectory {
  readonly path: string
  readonly postgresDirectory: string
  readonly postgresPassword: string
  /** Encrypts the sources' passwords. */
  readonly secretKey: Buffer
  readonly adminToken: string
  /** Whether this directory was just made. */
  readonly isNew: boolean
}

/**
 * Opens the directory; what is missing in it is made.
 * @throws SetUpError where it cannot be made, or written to
 */
export async function openDevDirectory(directory: string): Promise<DevDirectory> {
  const path = resolve(directory)
  try {
    return await fillDirectory(path)
  } catch (error) {
    if (!isSystemError(error)) throw error
    throw new SetUpError(`nothing can be kept in ${path}: ${error.message}`, { cause: error })
  }
}

async function fillDirectory(path: string): Promise<DevDirectory> {
  await makeDirectory(path)
  const isNew = !(await exists(join(path, TOKEN_FILE)))
  // Whoever keeps the directory in a project of their own does not commit it by accident.
  await keepText(join(path, '.gitignore'), () => '*\n', 0o644)
  const keep = (name: string, make: () => string): Promise<string> =>
    keepText(join(path, name), make, SECRET_MODE)
  const [postgresPassword, secretKey, adminToken] = await Promise.all([
    keep('postgres-password', () => randomBytes(24).toString('hex')),
    keep('secret-key', () => randomBytes(32).toString('base64')),
    keep(TOKEN_FILE, () => `mr_dev_${randomBytes(24).toString('hex')}`),
  ])
  return {
    path,
    postgresDirectory: join(path, 'postgres'),
    postgresPassword,
    secretKey: Buffer.from(secretKey, 'base64'),
    adminToken,
    isNew,
  }
}

/** Node's own `recursive` tries for ever where a directory is there and takes none, as `/proc`. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || (await exists(dirname(path)))) throw error
    await makeDirectory(dirname(path))
    await mkdir(path)
  }
}

const TOKEN_FILE = 'token'
const SHOP_URL_FILE = 'shop-url'

/** Its port may differ from run to run, so it is written by each. */
export function saveShopUrl({ path }: DevDirectory, url: string): Promise<void> {
  return writeFile(join(path, SHOP_URL_FILE), url, { mode: SECRET_MODE })
}

/** Undefined: nothing was ever started in the directory. */
export async function readShopUrl(directory: string): Promise<string | undefined> {
  return readFile(join(directory, SHOP_URL_FILE), 'utf8').catch(() => undefined)
}

/** Answers the file's text; writes it first where there is none. */
async function keepText(path: string, make: () => string, mode: number): Promise<string> {
  try {
    // Fails where the file is there: of two that start together one writes.
    await writeFile(path, make(), { mode, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return (await readFile(path, 'utf8')).trim()
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Of the operating system: no permission, no space, a file where a directory is to be. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

import { readFile } from 'node:fs/promises'

import type { Environment } from '../config.ts'
import { MillraceError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Database } from '../storage/database.ts'
import { applyConfiguration } from './apply-configuration.ts'
import { ConfigurationFileError } from './configuration-error.ts'
import { readConfiguration } from './read-configuration.ts'

/**
 * Applies a file at start. Nothing is pruned. A signing secret that is made on the way
 * is shown nowhere: `consumers rotate-secret` makes another.
 * @throws ConfigurationFileError
 */
export async function applyFile(
  database: Database,
  path: string,
  options: { secretKey: Buffer | undefined; environment: Environment; logger: Logger },
): Promise<void> {
  const { secretKey, environment, logger } = options
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'there is no such file' : error.message
    const message = `MILLRACE_CONFIG cannot be read: ${reason}`
    throw new ConfigurationFileError(path, [{ message }], { cause: error })
  })
  const { configuration, locate } = readConfiguration(path, text, environment)
  try {
    const { changes } = await applyConfiguration(database, configuration, {
      secretKey,
      prune: false,
      unattended: true,
    })
    const made = changes.map(({ kind, name, action }) => ({ kind, name, action }))
    logger.info('the configuration is applied', { file: path, changes: made })
  } catch (error) {
    throw error instanceof MillraceError ? locate(error) : error
  }
}

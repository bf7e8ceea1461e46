import { createRequire } from 'node:module'

/** The oldest is to be had for this platform alone. */
const HAS_OLDEST = process.platform === 'linux' && process.arch === 'x64'

/** The majors below the one that everything else is tested with. */
export const OLDER_MAJORS: readonly number[] = HAS_OLDEST ? [14, 15, 16, 17] : [15, 16, 17]

/** A file beside which the Postgres of that major is found, as `package.json` here names it. */
export function packageEntryOf(major: number): string {
  const require = createRequire(import.meta.url)
  return require.resolve(major === 14 ? './package.json' : `postgres-${major}`)
}

import { fileURLToPath } from 'node:url'

import { defineConfig } from 'vitest/config'

import shared from '../../vitest.config.ts'
import { OLDER_MAJORS } from './majors.ts'

declare module 'vitest' {
  interface ProvidedContext {
    major: number
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What depends most on the server, once for each major, source and storage alike. */
export default defineConfig({
  root,
  test: {
    maxWorkers: 2,
    projects: OLDER_MAJORS.map((major) => ({
      root,
      test: {
        ...shared.test,
        name: `Postgres ${major}`,
        include: [
          'test/postgres-versions/*.test.ts',
          'test/capture/publication.test.ts',
          'test/capture/reader.test.ts',
          'test/capture/round-trip.test.ts',
          'test/capture/tables.test.ts',
          'test/capture/types.test.ts',
          'test/storage/migrate.test.ts',
        ],
        exclude: ['**/node_modules/**'],
        globalSetup: 'test/postgres-versions/global-setup.ts',
        provide: { major },
      },
    })),
  },
})

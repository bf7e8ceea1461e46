import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'sdk/test/**/*.test.ts'],
    // Those have servers of their own: `npm run test:versions`.
    exclude: [...configDefaults.exclude, 'test/postgres-versions/**'],
    globalSetup: 'test/support/global-setup.ts',
    // Everything waits on signals; the bound only ends what hangs.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    maxWorkers: 2,
    sequence: { concurrent: false },
  },
})

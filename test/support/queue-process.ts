import { test as base } from './database.ts'
import { startProcess, type TestProcess } from './queues.ts'

interface Fixtures {
  /** Queues of one server process on the test's storage, stopped when the test ends. */
  process: TestProcess
}

/** A test with a storage and one server process on it. */
export const test = base.extend<Fixtures>({
  process: async ({ storage }, use) => {
    const process = await startProcess(storage)
    await use(process)
    await process.stop()
  },
})

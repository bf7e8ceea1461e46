import fc from 'fast-check'
import { describe, expect } from 'vitest'

import { test } from '../../support/database.ts'
import { command } from './commands.ts'
import { runCommands } from './run-commands.ts'

/** `MILLRACE_TEST_COMMANDS=200000` for the long run; `MILLRACE_TEST_SEED` to repeat one. */
const COMMANDS = Number(process.env['MILLRACE_TEST_COMMANDS'] ?? 2000)
const SEED = process.env['MILLRACE_TEST_SEED']
const COMMANDS_PER_RUN = 100

describe('the queue', () => {
  test('keeps its invariants whatever is done to it', { timeout: 0 }, async ({ storage }) => {
    let run = 0
    let executed = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: COMMANDS_PER_RUN, maxLength: 2 * COMMANDS_PER_RUN }),
        async (commands) => {
          run += 1
          executed += commands.length
          await runCommands(storage, String(run), commands)
        },
      ),
      {
        numRuns: Math.ceil(COMMANDS / COMMANDS_PER_RUN),
        // Shrinking stops here; the seed repeats what was found.
        interruptAfterTimeLimit: Math.max(600_000, 100 * COMMANDS),
        ...(SEED === undefined ? {} : { seed: Number(SEED) }),
      },
    )
    expect(executed).toBeGreaterThanOrEqual(COMMANDS)
  })
})

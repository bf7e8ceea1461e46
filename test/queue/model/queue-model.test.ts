import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { withStorage } from '../../support/database.ts'
import { chooseSeed } from '../../support/random.ts'
import { command, settings, type Command, type Settings } from './commands.ts'
import { runCommands } from './run-commands.ts'

/**
 * `MILLRACE_TEST_COMMANDS=200000` for the long run; `MILLRACE_TEST_SEED` repeats one, and
 * `MILLRACE_TEST_PATH` with it only the part that failed.
 */
const COMMANDS = Number(process.env['MILLRACE_TEST_COMMANDS'] ?? 2000)
/** `MILLRACE_TEST_SHRINK=1` looks for fewer commands that fail as well, for some minutes. */
const SHRINKS = process.env['MILLRACE_TEST_SHRINK'] === '1'
const PATH = process.env['MILLRACE_TEST_PATH']
const COMMANDS_PER_RUN = 150

/** The whole run where it was made shorter; else the seed repeats it. */
async function tellFailure(run: fc.RunDetails<[Settings, Command[]]>): Promise<void> {
  if (!run.failed) return
  const { seed, counterexamplePath, counterexample, errorInstance: cause } = run
  const found = SHRINKS ? `\n${fc.stringify(counterexample)}` : ''
  const reason = cause instanceof Error ? cause.message : String(cause)
  throw new Error(
    `${reason}\nMILLRACE_TEST_SEED=${seed} MILLRACE_TEST_PATH=${counterexamplePath}${found}`,
    {
      cause,
    },
  )
}

describe('the queue', () => {
  test('keeps its invariants whatever is done to it', { timeout: 0 }, async () => {
    const startedAt = performance.now()
    let executed = 0
    await fc.assert(
      fc.asyncProperty(
        settings,
        fc.array(command, { minLength: COMMANDS_PER_RUN, maxLength: COMMANDS_PER_RUN + 10 }),
        async (chosen, commands) => {
          executed += commands.length
          await withStorage((storage) => runCommands(storage, chosen, commands))
        },
      ),
      {
        seed: chooseSeed('queue model'),
        numRuns: Math.ceil(COMMANDS / COMMANDS_PER_RUN),
        endOnFailure: !SHRINKS,
        // Shrinking stops here; the seed repeats what was found.
        interruptAfterTimeLimit: Math.max(600_000, 100 * COMMANDS),
        asyncReporter: tellFailure,
        ...(PATH === undefined ? {} : { path: PATH }),
      },
    )
    const seconds = Math.round((performance.now() - startedAt) / 1000)
    console.log(`queue model: ${executed} commands in ${seconds} s`)
    expect(executed).toBeGreaterThanOrEqual(COMMANDS)
  })
})

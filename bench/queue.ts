import type { BenchOptions } from './main.ts'
import { measureBacklog } from './support/backlog.ts'
import { openBenchPostgres } from './support/bench-postgres.ts'
import { compareFanOut } from './support/fan-out.ts'
import { printFigures, type Figure } from './support/figures.ts'
import { describeMachine } from './support/machine.ts'

/** The fan-out beside other queues in Postgres, and the queue under a burden beside itself without. */
export async function run(options: BenchOptions): Promise<void> {
  const { only, smoke } = options
  const postgres = await openBenchPostgres(options.postgres)
  try {
    const figures: Figure[] = []
    if (!only?.every((name) => name === 'backlog')) {
      figures.push(
        ...(await compareFanOut(postgres, {
          messages: options.messages ?? (smoke ? 300 : 200_000),
          singles: options.singles ?? (smoke ? 50 : 40_000),
          rounds: options.rounds ?? 1,
          systems: only?.filter((name) => name !== 'fanout' && name !== 'backlog') ?? [],
        })),
      )
    }
    if (!only || only.includes('backlog')) {
      figures.push(
        ...(await measureBacklog(postgres, {
          // A fan-out scaled down has its backlog scaled down alike.
          backlog: options.messages ? options.messages * 5 : smoke ? 2000 : 1_000_000,
          light: options.messages ? options.messages * 2 : smoke ? 1000 : 400_000,
          inFlight: smoke ? 50 : 10_000,
          rounds: options.rounds ?? (smoke ? 1 : 3),
          warmUpSeconds: smoke ? 0 : 1,
          // A smoke run ends when the backlog is empty.
          seconds: options.seconds ?? (smoke ? 30 : 5),
        })),
      )
    }
    printFigures(`bench queue on ${describeMachine(postgres.description)}`, figures)
  } finally {
    await postgres.stop()
  }
}

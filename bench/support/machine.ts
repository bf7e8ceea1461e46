import { cpus, totalmem, type } from 'node:os'

/** What the figures were measured on; without it they say nothing. */
export function describeMachine(postgres: string): string {
  const models = cpus()
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${models[0]?.model.trim() ?? 'unknown CPU'}, ${models.length} cores, ${memory} GB, ${type()}; Node ${process.versions.node}; ${postgres}`
}

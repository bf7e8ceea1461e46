import { parseArgs } from 'node:util'

const USAGE = `Usage: npm run bench -- pipeline|queue|push|console [options]

  --smoke            tiny sizes: shows that it runs, measures nothing
  --messages N       size of the workload (each benchmark has its own default)
  --singles N        queue: messages per consumer at batch 1
  --rounds N         rounds of what is compared side by side; medians are shown
  --seconds N        length of a measured window
  --postgres URL     a superuser's URL of a Postgres with wal_level=logical to use
                     instead of starting one
  --only NAME,...    queue: fanout, backlog, or systems of the fan-out; pipeline: capture, http
  --profile DIR      writes CPU profiles of the server there`

export interface BenchOptions {
  readonly smoke: boolean
  readonly messages?: number
  readonly singles?: number
  readonly rounds?: number
  readonly seconds?: number
  readonly postgres?: string
  readonly only?: readonly string[]
  readonly profile?: string
}

type Bench = (options: BenchOptions) => Promise<void>

// Loaded when asked for: one needs packages that another does without.
const BENCHES: Record<string, () => Promise<{ run: Bench }>> = {
  pipeline: () => import('./pipeline.ts'),
  queue: () => import('./queue.ts'),
  push: () => import('./push.ts'),
  console: () => import('./console.ts'),
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    messages: { type: 'string' },
    singles: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    postgres: { type: 'string' },
    only: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
const load = BENCHES[positionals[0] ?? '']
if (!load || positionals.length !== 1 || values.help) {
  console.log(USAGE)
  process.exit(values.help ? 0 : 2)
}
const { run } = await load()
await run({
  smoke: values.smoke,
  ...readNumber('messages', values.messages),
  ...readNumber('singles', values.singles),
  ...readNumber('rounds', values.rounds),
  ...readNumber('seconds', values.seconds),
  ...(values.postgres === undefined ? {} : { postgres: values.postgres }),
  ...(values.only === undefined ? {} : { only: values.only.split(',') }),
  ...(values.profile === undefined ? {} : { profile: values.profile }),
})

function readNumber(name: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {}
  const value = Number(text)
  if (!(value > 0)) {
    console.error(`--${name} must be a number above 0, not "${text}"`)
    process.exit(2)
  }
  return { [name]: value }
}

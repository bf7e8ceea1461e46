import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts'

const PASSWORD = 'postgres'

/** A Postgres of one's own, that goes down and comes back as it is told, its data with it. */
export class RestartablePostgres implements AsyncDisposable {
  readonly #directory: string
  readonly #settings: Record<string, string>
  #server: EmbeddedPostgres | undefined
  port = 0

  private constructor(directory: string, settings: Record<string, string>) {
    this.#directory = directory
    this.#settings = settings
  }

  /** Its data lie below `place`. */
  static async start(
    settings: Record<string, string> = {},
    place = tmpdir(),
  ): Promise<RestartablePostgres> {
    const postgres = new RestartablePostgres(await makeDirectory(place), settings)
    await postgres.up()
    return postgres
  }

  /** A standby of this one, made of a copy of its data: it goes down for a moment. */
  async follow(settings: Record<string, string>): Promise<RestartablePostgres> {
    const directory = await makeDirectory(tmpdir())
    await this.down()
    await promisify(execFile)('cp', ['-a', this.dataDirectory, join(directory, 'data')])
    // Empty, and owned by whom the data are owned by.
    const anyFile = join(this.dataDirectory, 'PG_VERSION')
    const signal = join(directory, 'data', 'standby.signal')
    await promisify(execFile)('cp', ['-a', '--attributes-only', anyFile, signal])
    await this.up()
    const standby = new RestartablePostgres(directory, {
      primary_conninfo: `host=127.0.0.1 port=${this.port} user=postgres password=${PASSWORD} dbname=postgres`,
      hot_standby_feedback: 'on',
      ...settings,
    })
    await standby.up()
    return standby
  }

  get pid(): number {
    return this.#server?.pid ?? 0
  }

  /** Where its data is while it is up, and stays while it is down. */
  get dataDirectory(): string {
    return this.#server?.dataDirectory ?? ''
  }

  urlOf(database = 'postgres'): string {
    return `postgres://postgres:${PASSWORD}@127.0.0.1:${this.port}/${database}`
  }

  /** A fast shutdown: clients are told, and what they had open is rolled back. */
  async down(): Promise<void> {
    await this.#server?.stop()
  }

  /** An end without warning; the next start recovers from the WAL. */
  async crash(): Promise<void> {
    process.kill(this.pid, 'SIGQUIT')
    await this.#server?.stop()
  }

  /** On the port it had, if that is still free. */
  async up(): Promise<void> {
    this.#server = await startEmbeddedPostgres({
      directory: join(this.#directory, 'data'),
      password: PASSWORD,
      port: this.port,
      stopMsMax: 10_000,
      // The machine itself does not go down: what the operating system has is safe.
      settings: { shared_buffers: '32MB', fsync: 'off', ...this.#settings },
    })
    this.port = this.#server.port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

async function makeDirectory(place: string): Promise<string> {
  const directory = await mkdtemp(join(place, 'millrace-test-'))
  // As root the server runs as another user, who must get to its data.
  await chmod(directory, 0o755)
  return directory
}

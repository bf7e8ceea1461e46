import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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

  static async start(settings: Record<string, string> = {}): Promise<RestartablePostgres> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-test-'))
    // As root the server runs as another user, who must get to its data.
    await chmod(directory, 0o755)
    const postgres = new RestartablePostgres(directory, settings)
    await postgres.up()
    return postgres
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

// Run as a process of its own by postgres.test.ts, to be killed.
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts'

const server = await startEmbeddedPostgres({
  directory: process.argv[2] ?? '',
  password: 'secret',
  onCrash: () => process.exit(1),
})
console.log(JSON.stringify({ url: server.urlOf(), pid: server.pid }))

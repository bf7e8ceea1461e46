#!/usr/bin/env node
// Plain JavaScript without anything new: the sources are TypeScript, which an
// older Node cannot read, and it must be able to say so.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Millrace needs Node 22.18 or newer, and this is Node ${process.versions.node}. ` +
      'In a checkout, `npm start` and `npm run -s millrace -- …` bring a newer one with them.',
  )
  process.exit(2)
}

const { runCli } = await import('../src/cli.ts')
process.exit(await runCli(process.argv.slice(2)))

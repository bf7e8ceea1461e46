#!/usr/bin/env -S node --max-semi-space-size=16
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

// Left alone, V8 lets garbage grow to several times what is in use: a server busy with a
// backlog took 580 MB, and takes 240 MB so, at the same speed. The first line bounds the
// young generation (in MB; it cannot be set later), this the old one.
const { setFlagsFromString } = await import('node:v8')
setFlagsFromString('--heap-growing-percent=50')

const { runCli } = await import('../src/cli.ts')
process.exit(await runCli(process.argv.slice(2)))

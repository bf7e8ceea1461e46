// Installs the older majors of Postgres, unless those of the lock file are there already.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'

const place = (name) => new URL(name, import.meta.url)
// npm has a file of this kind itself, but that lists what it left out as well.
const installed = place('./node_modules/.installed-lock.json')
const wanted = place('./package-lock.json')

const upToDate = existsSync(installed) && readFileSync(installed).equals(readFileSync(wanted))
if (!upToDate) {
  const { status } = spawnSync('npm', ['ci', '--no-workspaces', '--ignore-scripts'], {
    cwd: place('.'),
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
  copyFileSync(wanted, installed)
}

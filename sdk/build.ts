// Makes the package that is published, in sdk/dist or the folder that is named:
// JavaScript and declarations, with the entry points of package.json moved to them.
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const dist = join(here, 'dist')
const target = resolve(process.argv[2] ?? dist)

// A folder that someone else named is not ours to empty.
if (target === dist) await rm(dist, { recursive: true, force: true })
await mkdir(target, { recursive: true })

const tsc = fileURLToPath(import.meta.resolve('typescript/lib/tsc.js'))
const project = join(here, 'tsconfig.build.json')
await promisify(execFile)(process.execPath, [tsc, '-p', project, '--outDir', join(target, 'src')])

const manifest = JSON.parse(await readFile(join(here, 'package.json'), 'utf8')) as object
const published = {
  ...manifest,
  exports: {
    '.': { types: './src/index.d.ts', default: './src/index.js' },
    './package.json': './package.json',
  },
  files: ['src'],
  sideEffects: false,
}
await writeFile(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`)
await copyFile(join(here, 'README.md'), join(target, 'README.md'))
await copyFile(join(here, '..', 'LICENSE'), join(target, 'LICENSE'))

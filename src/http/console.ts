import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

import type { Context, Hono } from 'hono'

import { MillraceError } from '../errors.ts'
import { createRequestId, toResponse } from './mount.ts'
import { createProblem, type Reply } from './problem.ts'

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The paths that the console routes by itself. */
const PAGES = ['/', '/consumers/*', '/sources/*', '/tail', '/tokens', '/about']

const CONTENT_TYPES: Record<string, string> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

const NOT_BUILT = 'The console is not built yet. In a checkout, run: npm run console\n'

interface Asset {
  contentType: string
  plain: Uint8Array<ArrayBuffer>
  zipped: Uint8Array<ArrayBuffer>
}

/** By path, `/index.html` among them; undefined: there is no build. */
type Build = ReadonlyMap<string, Asset> | undefined

/** Serves the console's files. They are read once, when first asked for, and kept zipped. */
export function mountConsole(
  app: Hono,
  directory = fileURLToPath(new URL('../../console/dist', import.meta.url)),
): void {
  let loading: Promise<Build> | undefined
  const load = async (): Promise<Build> => {
    loading ??= loadBuild(directory)
    const build = await loading
    // Somebody may build it while we run.
    if (!build) loading = undefined
    return build
  }
  const servePage = async (c: Context): Promise<Response> => {
    const page = (await load())?.get('/index.html')
    const answer: Reply = page
      ? presentAsset(c, page, 'no-cache')
      : { status: 503, body: NOT_BUILT, contentType: 'text/plain; charset=utf-8' }
    return toResponse(answer, createRequestId())
  }
  for (const path of PAGES) app.get(path, servePage)
  app.get('/assets/:file', async (c) => {
    const asset = (await load())?.get(c.req.path)
    const requestId = createRequestId()
    if (!asset) {
      const error = new MillraceError('not_found', 'There is no such file; load the page again.')
      return toResponse(createProblem(error, requestId), requestId)
    }
    // The name holds a hash of the content: another content has another name.
    return toResponse(presentAsset(c, asset, 'public, max-age=31536000, immutable'), requestId)
  })
}

function presentAsset(c: Context, asset: Asset, cacheControl: string): Reply {
  const isZipped = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '')
  return {
    status: 200,
    body: isZipped ? asset.zipped : asset.plain,
    contentType: asset.contentType,
    headers: {
      'cache-control': cacheControl,
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      vary: 'accept-encoding',
      ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    },
  }
}

const zip = promisify(gzip)

async function loadBuild(directory: string): Promise<Build> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = entries.filter((entry) => entry.isFile())
  if (!files.some(({ name }) => name === 'index.html')) return undefined
  const assets = files.map(async ({ name, parentPath }): Promise<[string, Asset]> => {
    const plain = new Uint8Array(await readFile(`${parentPath}/${name}`))
    const path = `${parentPath.slice(directory.length).replaceAll('\\', '/')}/${name}`
    const contentType = CONTENT_TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream'
    return [path, { contentType, plain, zipped: new Uint8Array(await zip(plain, { level: 9 })) }]
  })
  return new Map(await Promise.all(assets))
}

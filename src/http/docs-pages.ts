import { readFile } from 'node:fs/promises'

import type { Hono } from 'hono'

import { createRequestId, toResponse } from './mount.ts'

/** A file that is served as it is; `read` is called once. */
export interface Page {
  path: string
  contentType: string
  read: () => Promise<Uint8Array<ArrayBuffer> | string>
}

/** Nothing from anywhere else; Swagger UI sets styles in its elements. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HTML = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Millrace API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`

const START = `SwaggerUIBundle({
  url: '/openapi.yaml',
  dom_id: '#reference',
  deepLinking: true,
  validatorUrl: null,
})
`

/** The rendered reference at `/docs`. */
export function createDocsPages(): Page[] {
  return [
    { path: '/docs', contentType: 'text/html; charset=utf-8', read: async () => HTML },
    { path: '/docs/start.js', contentType: 'text/javascript', read: async () => START },
    fromSwagger('swagger-ui.css', 'text/css'),
    fromSwagger('swagger-ui-bundle.js', 'text/javascript'),
  ]
}

function fromSwagger(name: string, contentType: string): Page {
  const url = new URL(import.meta.resolve(`swagger-ui-dist/${name}`))
  return {
    path: `/docs/${name}`,
    contentType,
    read: async () => new Uint8Array(await readFile(url)),
  }
}

export function mountPages(app: Hono, pages: readonly Page[]): void {
  for (const page of pages) {
    let content: ReturnType<Page['read']> | undefined
    app.get(page.path, async () => {
      content ??= page.read()
      const body = await content
      const headers = {
        'cache-control': 'no-cache',
        'content-security-policy': CONTENT_SECURITY_POLICY,
        'referrer-policy': 'no-referrer',
      }
      const answer = { status: 200, body, contentType: page.contentType, headers }
      return toResponse(answer, createRequestId())
    })
  }
}

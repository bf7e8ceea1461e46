import { dropUndefined } from './import-databases.ts'
import {
  EntryReader,
  escapeText,
  isFields,
  type Fields,
  type ImportNote,
  toText,
} from './import-notes.ts'

export interface Endpoint {
  /** Undefined: not one that can be called from here. */
  url: string | undefined
  headers: Record<string, string>
}

export type Endpoints = ReadonlyMap<string, Endpoint>

/** They are Millrace's or the connection's. */
const RESERVED_HEADER =
  /^(?:host|connection|content-length|content-type|transfer-encoding|user-agent|webhook-.*)$/i

/** Sequin's `http_endpoints`, which become part of the consumers that use them. */
export function importEndpoints(endpoints: readonly unknown[], notes: ImportNote[]): Endpoints {
  const found = new Map<string, Endpoint>()
  for (const [index, endpoint] of endpoints.entries()) {
    const name = toText((isFields(endpoint) && endpoint['name']) || index)
    const reader = new EntryReader(`http_endpoints.${name}`, endpoint, notes)
    reader.take('name')
    const url = reader.takeText('url')
    if (url === undefined) reader.note('url', 'is missing: put the address into `push.url`')
    const headers: Record<string, string> = {}
    for (const option of ['headers', 'encrypted_headers']) {
      for (const [header, value] of readHeaders(reader.take(option))) {
        if (RESERVED_HEADER.test(header)) {
          reader.note(`${option}.${header}`, 'is set by Millrace and cannot be replaced')
        } else headers[header] = escapeText(value)
      }
    }
    reader.finish({
      local: 'there are no tunnels: Millrace must reach the address itself',
      path: 'is a part of `push.url`',
      'webhook.site': 'make an address there and give it as `push.url`',
    })
    found.set(name, { url, headers })
  }
  return found
}

/** A list of keys and values, or a map. */
function readHeaders(headers: unknown): [string, string][] {
  if (isFields(headers)) {
    return Object.entries(headers).map(([key, value]) => [key, toText(value)])
  }
  if (!Array.isArray(headers)) return []
  return headers.filter(isFields).map(({ key, value }) => [toText(key), toText(value)])
}

/**
 * How messages leave: the mode, the lease and the webhook of a consumer; undefined: in a
 * way that Millrace has not.
 */
export function importDestination(
  reader: EntryReader,
  section: string,
  endpoints: Endpoints,
): Fields | undefined {
  const destination = reader.enter('destination')
  const old = { http_pull_consumers: 'sequin_stream', http_push_consumers: 'webhook' }[section]
  const type = toText(destination.take('type') ?? reader.take('type') ?? old ?? 'none')
  if (type === 'sequin_stream') {
    destination.finish()
    if (reader.take('batch_size') !== undefined) {
      reader.note('batch_size', 'is asked for with each receive')
    }
    return dropUndefined({
      visibility_timeout_ms: reader.takeNumber('ack_wait_ms', 1000, 43_200_000),
    })
  }
  if (type !== 'webhook' && type !== 'http_push') {
    reader.note(
      'destination',
      `Millrace does not write to ${type}: left out. A worker of the client writes to it, with the acks in your hands`,
    )
    return undefined
  }
  return importWebhook(reader, destination, endpoints)
}

function importWebhook(
  reader: EntryReader,
  destination: EntryReader,
  endpoints: Endpoints,
): Fields {
  const name = destination.takeText('http_endpoint') ?? reader.takeText('http_endpoint') ?? ''
  const path =
    destination.takeText('http_endpoint_path') ?? reader.takeText('http_endpoint_path') ?? ''
  const endpoint = endpoints.get(name)
  if (!endpoint?.url) {
    reader.note('http_endpoint', `"${name}" has no address: put it into \`push.url\``)
  }
  // Sequin's own default is a batch, of one.
  const isBatch = (destination.take('batch') ?? reader.take('batch')) !== false
  const size =
    reader.takeNumber('batch_size', 1, 1000) ?? destination.takeNumber('batch_size', 1, 1000)
  if (isBatch && (size ?? 1) === 1) {
    reader.note('batch', 'a batch of one is sent as the message itself, not as {"data": […]}')
  }
  destination.finish()
  const headers = endpoint?.headers ?? {}
  return {
    mode: 'push',
    push: {
      url: joinUrl(endpoint?.url ?? 'https://endpoint.example/', path),
      ...(isBatch && size !== undefined ? { batch_size: size } : {}),
      ...dropUndefined({ timeout_ms: reader.takeNumber('ack_wait_ms', 100, 600_000) }),
      ...(Object.keys(headers).length === 0 ? {} : { headers }),
    },
  }
}

function joinUrl(url: string, path: string): string {
  return path === '' ? url : `${url.replace(/\/$/, '')}/${path.replace(/^\//, '')}`
}

import type { components } from '@millrace/client'

import { client } from './api.ts'

type Schemas = components['schemas']

/** A change as it stands in the log. */
export type Change = Schemas['Change']
/** A change with its state at every consumer that selects it. */
export type FanOutOfChange = Schemas['FanOut']
export type Delivery = FanOutOfChange['consumers'][number]
/** A change as one consumer has it. */
export type Message = Schemas['ListedMessage']
export type MessageState = Message['state']
/** Where a change stands with one consumer. */
export type PlaceState = Delivery['state']
/** A place in the log. */
export type Target = Schemas['LogTarget']

interface Paging {
  limit: number
  cursor: string | undefined
  table?: string
  key?: string
  from?: string
}

/** Those dead or retrying messages, or all that are dead. */
type Which = 'all' | number[]

const { api } = client

/** The transport throws whatever is no success. */
async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  return (await call).data as T
}

const at = (consumer: string) => ({ path: { consumer } })

export function listMessages(
  consumer: string,
  { cursor, ...query }: Paging & { state: MessageState },
  signal: AbortSignal,
): Promise<Schemas['ListedMessageList']> {
  const params = {
    ...at(consumer),
    query: { ...query, ...(cursor === undefined ? {} : { cursor }) },
  }
  return bodyOf(api.GET('/v1/consumers/{consumer}/messages', { params, signal }))
}

export function getMessage(
  consumer: string,
  seq: number,
  signal: AbortSignal,
): Promise<FanOutOfChange> {
  const params = { path: { consumer, seq: String(seq) } }
  return bodyOf(api.GET('/v1/consumers/{consumer}/messages/{seq}', { params, signal }))
}

export function listChanges(
  source: string,
  { cursor, ...query }: Paging & { order: 'oldest' | 'newest' },
  signal: AbortSignal,
): Promise<Schemas['ChangeList']> {
  const params = {
    path: { source },
    query: { ...query, ...(cursor === undefined ? {} : { cursor }) },
  }
  return bodyOf(api.GET('/v1/sources/{source}/changes', { params, signal }))
}

export function getChange(
  source: string,
  seq: number,
  signal: AbortSignal,
): Promise<FanOutOfChange> {
  const params = { path: { source, seq: String(seq) } }
  return bodyOf(api.GET('/v1/sources/{source}/changes/{seq}', { params, signal }))
}

export function redrive(
  consumer: string,
  which: Which,
  skipSuperseded: boolean,
): Promise<Schemas['RedriveResponse']> {
  const body = {
    ...(which === 'all' ? { all: true as const } : { seqs: which }),
    skip_superseded: skipSuperseded,
  }
  return bodyOf(api.POST('/v1/consumers/{consumer}/redrive', { params: at(consumer), body }))
}

export function discard(consumer: string, which: Which): Promise<Schemas['DiscardResponse']> {
  const body = which === 'all' ? { all: true as const } : { seqs: which }
  return bodyOf(api.POST('/v1/consumers/{consumer}/discard', { params: at(consumer), body }))
}

export function seek(
  consumer: string,
  to: Target,
  dryRun: boolean,
): Promise<Schemas['SeekResponse']> {
  const body = { to, dry_run: dryRun }
  return bodyOf(api.POST('/v1/consumers/{consumer}/seek', { params: at(consumer), body }))
}

export function replay(
  consumer: string,
  from: Target,
  to: Target,
  key: string,
): Promise<Schemas['ReplayResponse']> {
  const body = { from, to, ...(key === '' ? {} : { key: readKey(key) }) }
  return bodyOf(api.POST('/v1/consumers/{consumer}/replay', { params: at(consumer), body }))
}

export function purge(consumer: string): Promise<Schemas['PurgeResponse']> {
  const body = { confirm: consumer }
  return bodyOf(api.POST('/v1/consumers/{consumer}/purge', { params: at(consumer), body }))
}

type Key = NonNullable<Schemas['ReplayRequest']['key']>

/** A primary key as people type it: `42`, `[42,"a"]`, or a text without quotes. */
function readKey(text: string): Key {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'number' || typeof value === 'string' || Array.isArray(value)) {
      return value as Key
    }
  } catch {
    // A text.
  }
  return text
}

/** What a consumer with this selection would make of the newest changes. */
export type Preview = Schemas['FilterPreviewResponse']

export function previewFilter(
  source: string,
  body: { tables: string[]; actions: ('insert' | 'update' | 'delete')[]; filter: string | null },
  signal: AbortSignal,
): Promise<Preview> {
  const params = { path: { source } }
  return bodyOf(api.POST('/v1/sources/{source}/filter/preview', { params, body, signal }))
}

/** The server processes on the storage. */
export function listProcesses(signal: AbortSignal): Promise<Schemas['ProcessList']> {
  return bodyOf(api.GET('/v1/processes', { signal }))
}

/** What a consumer selects of the log, oldest first. */
export function followConsumer(
  consumer: string,
  query: { after: number | 'latest'; limit: number },
  signal: AbortSignal,
): Promise<Schemas['FollowedChanges']> {
  const params = { ...at(consumer), query }
  return bodyOf(api.GET('/v1/consumers/{consumer}/changes', { params, signal }))
}

/** When the oldest and the newest change in the log were committed; undefined: it is empty. */
export async function readLogRange(
  source: string,
  signal: AbortSignal,
): Promise<{ from: number; to: number } | undefined> {
  const ends = await Promise.all(
    (['oldest', 'newest'] as const).map((order) =>
      listChanges(source, { limit: 1, cursor: undefined, order }, signal),
    ),
  )
  const [from, to] = ends.map(({ data }) => data[0] && Date.parse(data[0].commit_timestamp))
  return from === undefined || to === undefined ? undefined : { from, to }
}

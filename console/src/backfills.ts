import type { components } from '@millrace/client'

import { client } from './api.ts'

type Schemas = components['schemas']

export type Backfill = Schemas['Backfill']

/** What is done to one that is under way. */
export type BackfillStep = 'pause' | 'resume' | 'cancel'

/** Whom the rows are for. */
export type BackfillOf = { consumer: string } | { source: string }

const SHOWN_MAX = 50

const { api } = client

/** The newest first. */
export async function listBackfills(of: BackfillOf, signal: AbortSignal): Promise<Backfill[]> {
  const query = { limit: SHOWN_MAX }
  const { data } =
    'consumer' in of
      ? await api.GET('/v1/consumers/{consumer}/backfills', {
          params: { path: of, query },
          signal,
        })
      : await api.GET('/v1/sources/{source}/backfills', { params: { path: of, query }, signal })
  return data!.data
}

/** One for each table; without a table for all that the consumer selects. */
export async function startBackfills(
  of: BackfillOf,
  { table, ...more }: { table: string; where?: string; from_key?: (string | number)[] },
): Promise<Backfill[]> {
  const { data } =
    'consumer' in of
      ? await api.POST('/v1/consumers/{consumer}/backfills', {
          params: { path: of },
          body: { ...more, ...(table === '' ? {} : { table }) },
        })
      : await api.POST('/v1/sources/{source}/backfills', {
          params: { path: of },
          body: { table, ...more },
        })
  return data!.data
}

export async function stepBackfill(of: BackfillOf, id: string, step: BackfillStep): Promise<void> {
  if ('consumer' in of) {
    await api.POST(`/v1/consumers/{consumer}/backfills/{id}/${step}`, {
      params: { path: { ...of, id } },
    })
  } else {
    await api.POST(`/v1/sources/{source}/backfills/{id}/${step}`, {
      params: { path: { ...of, id } },
    })
  }
}

import { ApiError, type Client } from '@millrace/client'

import { SetUpError } from './set-up-error.ts'

/** Connects a database, or says anew how it is reached. */
export async function connectSource(
  client: Client,
  name: string,
  url: string,
  signal: AbortSignal,
): Promise<void> {
  await explain(`the database "${name}" was not connected`, () =>
    client.api.PUT('/v1/sources/{source}', {
      params: { path: { source: name } },
      body: { url },
      signal,
    }),
  )
}

/** Makes a consumer of a source's tables unless it is there. */
export async function createConsumer(
  client: Client,
  name: string,
  settings: { source: string; tables: string[] },
  signal: AbortSignal,
): Promise<void> {
  await explain(`the consumer "${name}" was not made`, () =>
    client.api.PUT('/v1/consumers/{consumer}', {
      params: { path: { consumer: name } },
      body: settings,
      signal,
    }),
  )
}

async function explain(what: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    throw new SetUpError(`${what}: ${describe(error)}`, { cause: error })
  }
}

/** The sentence, and what mends it where the checks say so. */
function describe({ problem: { detail, errors }, message }: ApiError): string {
  if (!detail) return message
  const more = errors.filter((each) => !detail.includes(each.detail))
  return [detail, ...more.map((each) => each.detail)].join('; ')
}

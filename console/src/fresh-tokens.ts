import { client } from './api.ts'

/** Tokens of consumers that were created a moment ago, until the page is left. */
const fresh = new Map<string, string>()

/** Makes a token that may work with that consumer and nothing else. */
export async function makeConsumeToken(consumer: string): Promise<string> {
  const { token } = await client.tokens.create({
    name: consumer,
    scopes: ['consume'],
    consumers: [consumer],
  })
  fresh.set(consumer, token)
  return token
}

export function freshTokenOf(consumer: string): string | undefined {
  return fresh.get(consumer)
}

import { createConfigurationCalls, type ConfigurationCalls } from './configuration.ts'
import { createConsumers, type Consumers } from './consumers.ts'
import { createHttp, type ClientOptions, type Http } from './http.ts'
import type { UnknownRow } from './message.ts'
import { createQueueClient, type QueueClient } from './queue-client.ts'
import { createSources, type Sources } from './sources.ts'
import { createTokens, type Tokens } from './tokens.ts'
import { consume, type ConsumeOptions } from './worker/consume.ts'
import type { ConsumedMessage } from './worker/desk.ts'

export interface Client extends QueueClient {
  /** The messages of a consumer as an endless loop; see README. */
  consume<Row = UnknownRow>(
    consumer: string,
    options?: ConsumeOptions,
  ): AsyncGenerator<ConsumedMessage<Row>, void, undefined>
  readonly consumers: Consumers
  readonly sources: Sources
  readonly tokens: Tokens
  /** All of them at once, as a `millrace.yaml` says. */
  readonly configuration: ConfigurationCalls
  /** Every call of the API by its path, typed: what openapi-fetch makes of the description. */
  readonly api: Http['api']
}

/** @throws TypeError for an address that is none */
export function createClient(options: ClientOptions = {}): Client {
  const http = createHttp(options)
  const queue = createQueueClient(http)
  return {
    ...queue,
    consume: (consumer, consuming) => consume(queue, consumer, consuming),
    consumers: createConsumers(http),
    sources: createSources(http),
    tokens: createTokens(http),
    configuration: createConfigurationCalls(http),
    api: http.api,
  }
}

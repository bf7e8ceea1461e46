import type { components } from './generated/schema.ts'
import { bodyOf, type CallOptions, type Http } from './http.ts'

type Schemas = components['schemas']

export type ConfigurationCalls = ReturnType<typeof createConfigurationCalls>

/** Databases are connected to, and slots wait for transactions that are open. */
const TIMEOUT_MS = 300_000

export function createConfigurationCalls({ api, repeatable, once }: Http) {
  return {
    /** What applying it would change; changes nothing. */
    plan: (
      body: Schemas['ConfigurationRequest'],
      options?: CallOptions,
    ): Promise<Schemas['ConfigurationPlan']> =>
      bodyOf(
        api.POST('/v1/configuration/plan', {
          body,
          ...repeatable({ timeoutMs: TIMEOUT_MS, ...options }),
        }),
      ),

    /** Wholly or not at all. Tokens and signing secrets that are made are shown in the answer only. */
    apply: (
      body: Schemas['ConfigurationRequest'],
      options?: CallOptions,
    ): Promise<Schemas['ConfigurationResult']> =>
      bodyOf(
        api.PUT('/v1/configuration', { body, ...once({ timeoutMs: TIMEOUT_MS, ...options }) }),
      ),

    /** What is there, with variables in the places of secrets. */
    export: (options?: CallOptions): Promise<Schemas['ConfigurationExport']> =>
      bodyOf(api.GET('/v1/configuration', { ...repeatable(options) })),
  }
}

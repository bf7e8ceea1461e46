import { applyConfiguration } from '../../configuration/apply-configuration.ts'
import { exportConfiguration } from '../../configuration/export-configuration.ts'
import { planConfiguration } from '../../configuration/plan-configuration.ts'
import type { Database } from '../../storage/database.ts'
import { defineRoutes, reply, type Handlers } from '../route.ts'
import {
  configurationExport,
  configurationPlan,
  configurationRequest,
  configurationResult,
} from '../schemas/configuration.ts'

const path = '/v1/configuration'
const tag = 'Configuration'
const access = { scope: 'admin', over: 'everything' } as const
const body = {
  schema: configurationRequest,
  bytesMax: 4 * 1024 * 1024,
  examples: {
    shop: {
      sources: { shop: { url: 'postgres://millrace:secret@db.example.com:5432/shop' } },
      consumers: { shipping: { source: 'shop', tables: ['public.orders'] } },
      tokens: { 'shipping service': { scopes: ['consume'], consumers: ['shipping'] } },
    },
  },
} as const

export const configurationDefinitions = defineRoutes({
  getConfiguration: {
    method: 'get',
    path,
    tag,
    summary: 'Sources, consumers and tokens as a configuration',
    description: 'Without secrets: variables stand in their places.',
    access,
    answers: { 200: { description: 'The configuration.', schema: configurationExport } },
  },
  planConfiguration: {
    method: 'post',
    path: `${path}/plan`,
    tag,
    summary: 'What applying a configuration would change',
    description:
      'Changes nothing. New sources are connected to and checked; secrets are held against those that are kept, and not shown.',
    access,
    body,
    answers: { 200: { description: 'The changes.', schema: configurationPlan } },
    refusals: [409],
  },
  putConfiguration: {
    method: 'put',
    path,
    tag,
    summary: 'Apply a configuration, wholly or not at all',
    description:
      'Changes what differs and nothing else. New sources come first and are taken back if anything fails; the rest is one transaction; sources that are pruned go last, because a slot cannot be brought back.',
    access,
    body,
    answers: { 200: { description: 'What was changed.', schema: configurationResult } },
    refusals: [409],
  },
})

export function createConfigurationHandlers(
  database: Database,
  secretKey: Buffer | undefined,
): Handlers<typeof configurationDefinitions> {
  return {
    async getConfiguration() {
      return reply(200, await exportConfiguration(database, secretKey))
    },
    async planConfiguration({ body: { prune, ...configuration } }) {
      const options = { secretKey, prune }
      const { changes, unlisted } = await planConfiguration(database, configuration, options)
      return reply(200, { changes, unlisted })
    },
    async putConfiguration({ body: { prune, ...configuration } }) {
      return reply(200, await applyConfiguration(database, configuration, { secretKey, prune }))
    },
  }
}

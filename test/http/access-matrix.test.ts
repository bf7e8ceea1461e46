import { describe, expect } from 'vitest'

import { allDefinitions } from '../../src/http/all-definitions.ts'
import { createDocsPages } from '../../src/http/docs-pages.ts'
import type { RouteDefinition } from '../../src/http/route.ts'
import { eventDefinitions } from '../../src/http/routes/events.ts'
import { sessionDefinitions } from '../../src/http/routes/session.ts'
import { createToken } from '../../src/tokens/token-store.ts'
import { SCOPES, type Scope } from '../../src/tokens/token.ts'
import { givenConsumer, givenSource } from '../support/given.ts'
import { test, type Api } from './api.ts'

/** Every route that is served, the console's own among them. */
const routes: [string, RouteDefinition][] = Object.entries({
  ...allDefinitions,
  ...eventDefinitions,
  ...sessionDefinitions,
})

/**
 * What each route asks for, said a second time: a scope, and what it must extend to.
 * A new route, or one that asks for something else, has to be written down here.
 */
const ASKED: Record<string, string> = {
  public: 'getLiveness getReadiness getOpenApi getSession createSession deleteSession',
  'consume consumer': `receiveMessages ackMessages nackMessages extendMessages settleMessages
    sequinReceive sequinReceiveByGet sequinAck sequinNack
    sequinStreamReceive sequinStreamReceiveByGet sequinStreamAck sequinStreamNack`,
  'read consumer': `getConsumer getConsumerStats listMessages getMessage followConsumer
    listConsumerBackfills getConsumerBackfill`,
  'read consumers': 'listConsumers streamEvents',
  'read everything': `listSources getSource getSourceHealth checkSource listSourceTables
    listChanges getChange previewFilter listSourceBackfills getSourceBackfill
    checkStorage getMetrics listProcesses`,
  'manage consumer': `pauseConsumer resumeConsumer seekConsumer replayConsumer
    redriveConsumer discardMessages purgeConsumer startConsumerBackfill
    pauseConsumerBackfill resumeConsumerBackfill cancelConsumerBackfill`,
  'manage everything': `startSourceBackfill pauseSourceBackfill
    resumeSourceBackfill cancelSourceBackfill`,
  'admin consumer': 'putConsumer patchConsumer deleteConsumer testPush rotatePushSecret',
  'admin consumers': 'createConsumer testWebhook',
  'admin everything': `createSource testSource putSource patchSource deleteSource acceptSourceGap
    listTokens createToken deleteToken getConfiguration putConfiguration planConfiguration`,
}

/** Names that no example in a description has. */
const OWN = 'consumer-of-ours'
const FOREIGN = 'foreign-consumer'
/** Refused after the token was checked: no call changes anything. */
const BAD_BODY = { no_such_field: true }

type Outcome = 'let in' | 'insufficient_scope' | 'no such consumer'

function expectedOutcome(
  { access }: RouteDefinition,
  scope: Scope,
  { isBound, isOwn }: { isBound: boolean; isOwn: boolean },
): Outcome {
  if (access === 'public') return 'let in'
  if (access.scope !== scope) return 'insufficient_scope'
  if (access.over === 'consumer') return isOwn ? 'let in' : 'no such consumer'
  return access.over === 'everything' && isBound ? 'insufficient_scope' : 'let in'
}

/** What became of a call, and what the caller read of it. */
async function call(
  { app }: Api,
  route: RouteDefinition,
  consumer: string,
  token: string,
): Promise<{ outcome: Outcome; status: number; text: string }> {
  const path = route.path
    .replace('{consumer}', consumer)
    .replace('{source}', 'nowhere')
    .replace('{token}', 'nothing')
    .replaceAll(/\{\w+\}/g, '1')
  const response = await app.request(path, {
    method: route.method.toUpperCase(),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(route.body ? { body: JSON.stringify(BAD_BODY) } : {}),
  })
  const { status } = response
  // A stream has no end; what it shows is tested with it.
  const isStream = response.headers.get('content-type') === 'text/event-stream'
  const text = isStream ? '' : await response.text()
  if (isStream) await response.body?.cancel()
  const isHidden = status === 404 && text.includes(`There is no consumer \\"${consumer}\\".`)
  const isRefused = status === 403 && text.includes('"code":"insufficient_scope"')
  return {
    outcome: isHidden ? 'no such consumer' : isRefused ? 'insufficient_scope' : 'let in',
    status,
    text,
  }
}

describe('the routes that are served', () => {
  test('are those that are written down, with what each asks for', () => {
    const asked = routes.map(([id, { access }]) => {
      return `${id}: ${access === 'public' ? access : `${access.scope} ${access.over}`}`
    })
    const written = Object.entries(ASKED).flatMap(([access, ids]) =>
      ids.split(/\s+/).map((id) => `${id}: ${access}`),
    )
    expect(asked.toSorted()).toEqual(written.toSorted())
  })

  test('are all defined, but for pages that hold nothing of the storage', ({ api }) => {
    const defined = routes.map(([, { method, path }]) => {
      return `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`
    })
    const pages = [
      ...createDocsPages().map(({ path }) => path),
      ...'/ /consumers/* /sources/* /tail /tokens /about /assets/:file'.split(' '),
    ]
    const served = new Set(api.app.routes.map(({ method, path }) => `${method} ${path}`))
    expect([...served].toSorted()).toEqual(
      [...defined, ...pages.map((path) => `GET ${path}`)].toSorted(),
    )
  })
})

describe('every route', () => {
  test.for(SCOPES)(
    'lets a token for %s in where it may, to its own consumers',
    async (scope, { storage, api }) => {
      const source = await givenSource(storage)
      const make = (name: string) => givenConsumer(storage, source.sourceNo, { name })
      const foreign = await make(FOREIGN)
      let own = await make(OWN)
      const makeToken = async (consumers: string[] | null): Promise<string> => {
        const token = { name: 'test', scopes: [scope], consumers, expiresAt: null }
        return (await createToken(storage.db, token)).text
      }
      const unbound = await makeToken(null)
      const bound = await makeToken([OWN])
      const cells = [
        { who: 'unbound', token: unbound, isOwn: true, find: () => own.name },
        { who: 'unbound', token: unbound, isOwn: true, find: () => own.id },
        { who: 'bound', token: bound, isOwn: true, find: () => own.name },
        { who: 'bound', token: bound, isOwn: true, find: () => own.id },
        { who: 'bound', token: bound, isOwn: false, find: () => foreign.name },
        { who: 'bound', token: bound, isOwn: false, find: () => foreign.id },
        { who: 'bound', token: bound, isOwn: false, find: () => 'nobody' },
      ]

      for (const [id, route] of routes) {
        for (const { who, token, isOwn, find } of cells) {
          const consumer = find()
          const expected = expectedOutcome(route, scope, { isBound: who === 'bound', isOwn })

          const { outcome, status, text } = await call(api, route, consumer, token)

          const what = `${id} of ${consumer} by a token that is ${who}`
          expect([what, outcome, status < 500]).toEqual([what, expected, true])
          // Nor does it see others in what it may ask for; the name it asked by it knows.
          if (isOwn && who === 'bound') {
            expect([what, text]).toEqual([what, expect.not.stringContaining(FOREIGN)])
            expect([what, text]).toEqual([what, expect.not.stringContaining(foreign.id)])
          }
          if (id === 'deleteConsumer' && status === 204) own = await make(OWN)
        }
      }
      const { body } = await api.call('GET', '/v1/consumers')
      expect(body.data.map(({ name }: { name: string }) => name)).toEqual([OWN, FOREIGN])
    },
  )
})

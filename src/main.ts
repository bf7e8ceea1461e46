import { randomUUID } from 'node:crypto'

import { BackfillRunner } from './backfill/backfill-runner.ts'
import { CaptureSupervisor } from './capture/capture-supervisor.ts'
import { LagReport } from './capture/lag-report.ts'
import { readEnvironment, type Config, type Environment } from './config.ts'
import { applyFile } from './configuration/apply-file.ts'
import { createApp } from './http/app.ts'
import { HttpServer } from './http/server.ts'
import type { Logger } from './log.ts'
import { LogRetention } from './log/retention.ts'
import { Metrics } from './metrics.ts'
import { openStorage } from './open-storage.ts'
import { ProcessRegistry } from './process-registry.ts'
import { createAddressGuard, type AddressGuard } from './push/address-guard.ts'
import { PushWorkers } from './push/push-workers.ts'
import { createUserAgent } from './push/user-agent.ts'
import { Queues } from './queue/queues.ts'
import type { Database } from './storage/database.ts'
import { migrate } from './storage/migrate.ts'
import { VERSION } from './version.ts'
import { warnOfShortcomings } from './warn-of-shortcomings.ts'

export interface Server {
  /** Where the API is, as a URL; empty in a process without the role `api`. */
  readonly address: string
  /** Ends what runs and waits for it. Safe to call more than once. */
  stop(): Promise<void>
}

interface StartOptions {
  /** Gives up starting, as long as that takes where the storage does not answer. */
  signal?: AbortSignal
  /** Requests that are still unanswered after this are cut off, in ms. */
  graceMs?: number
  /** Where the variables of the configuration file are; this process' own. */
  environment?: Environment
}

const GRACE_MS = 10_000

/**
 * The server: puts the parts together and starts them, the lower ones first.
 * They stop in the opposite order: nobody is asked after it has gone.
 */
export async function startServer(
  config: Config,
  logger: Logger,
  options: StartOptions = {},
): Promise<Server> {
  const stops: (() => Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next; next = stops.pop()) await next()
  }
  try {
    const database = await openStorage(config.storageUrl, logger, options.signal)
    stops.push(() => database.close())
    const applied = await migrate(database)
    if (applied.length > 0) logger.info('the storage was migrated', { applied })
    options.signal?.throwIfAborted()
    await warnOfShortcomings(database, config, logger)
    if (config.configFile !== undefined) {
      const { secretKey } = config
      const environment = options.environment ?? readEnvironment()
      await applyFile(database, config.configFile, { secretKey, environment, logger })
    }
    const address = await startParts(config, logger, database, stops, options.graceMs ?? GRACE_MS)
    return { address, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startParts(
  config: Config,
  logger: Logger,
  database: Database,
  stops: (() => Promise<void>)[],
  graceMs: number,
): Promise<string> {
  const { roles, secretKey } = config
  const { pool } = database
  const processId = randomUUID()
  const metrics = new Metrics()
  const registry = new ProcessRegistry({ pool, logger, id: processId, roles })
  await registry.start()
  stops.push(() => registry.stop())

  const queues = new Queues({
    database,
    logger,
    hasPeers: () => registry.hasPeers(),
    onTick: (consumer, counts, leaseLost) => metrics.countTick(consumer, counts, leaseLost),
    onLatency: (consumer, step, ms) => metrics.observeLatency(consumer, step, ms),
  })
  await queues.start()
  stops.push(() => queues.stop())

  const capture = new CaptureSupervisor({
    storage: database,
    processId,
    secretKey,
    log: logger,
    onAppend: (sourceNo, entries) => queues.append(sourceNo, entries),
    companion: (handles) => new BackfillRunner(handles),
  })
  if (roles.has('reader')) {
    await capture.start()
    stops.push(() => capture.stop())
    const lagReport = new LagReport({ pool, logger, processId, reports: () => capture.reports() })
    lagReport.start()
    stops.push(() => lagReport.stop())
    const retention = new LogRetention({
      pool,
      logger,
      retentionMs: config.retentionMs,
      limitBytes: config.logLimitBytes,
      onDroppedUnread: ({ source, changes }) => metrics.countDroppedUnread(source, changes),
    })
    retention.start()
    stops.push(() => retention.stop())
  }
  const pushGuard = createAddressGuard(config.pushAllow)
  if (roles.has('push')) {
    const workers = createPushWorkers(config, logger, database, queues, metrics, pushGuard)
    await workers.start()
    stops.push(() => workers.stop())
  }
  if (!roles.has('api')) return ''

  let isDraining = false
  const { app, direct } = createApp({
    database,
    queues,
    secretKey,
    adminToken: config.adminToken,
    pushGuard,
    logger,
    version: VERSION,
    roles: [...roles],
    isDraining: () => isDraining,
    renderMetrics: () =>
      metrics.render({
        listConsumers: () => queues.listConsumers(),
        getStats: (consumer) => queues.getStats(consumer),
        listSourceCounts: () =>
          capture
            .reports()
            .map(({ name, state, metrics: counts }) => ({ source: name, state, ...counts })),
      }),
    observe: (operation, status, ms) => metrics.countHttpRequest(operation, status, ms),
  })
  const http = new HttpServer({ app, direct, host: config.host, port: config.port })
  const { url } = await http.start()
  stops.push(async () => {
    isDraining = true
    const closed = http.stop({ graceMs })
    // Whoever waits for messages is answered, or closing would wait for them.
    queues.drain()
    await closed
  })
  logger.info('listening', { address: url, roles: [...roles] })
  return url
}

function createPushWorkers(
  config: Config,
  logger: Logger,
  database: Database,
  queues: Queues,
  metrics: Metrics,
  guard: AddressGuard,
): PushWorkers {
  return new PushWorkers({
    database,
    queue: queues,
    logger,
    guard,
    secretKey: config.secretKey,
    userAgent: createUserAgent(VERSION),
    observer: {
      onRequest: (consumer, { codeClass, durationMs }) =>
        metrics.countPushRequest(consumer, codeClass, durationMs),
      onBreaker: (consumer, isOpen) => metrics.setPushBreaker(consumer, isOpen),
    },
  })
}

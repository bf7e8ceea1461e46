import chromium from '@sparticuz/chromium'
import { chromium as playwright, type Browser, type Page } from 'playwright-core'

import type { BenchOptions } from './main.ts'
import { openBenchPostgres } from './support/bench-postgres.ts'
import { formatRate, note, printFigures, type Figure } from './support/figures.ts'
import { describeMachine } from './support/machine.ts'
import { startMillrace, TOKEN } from './support/millrace-server.ts'
import { createShop } from './support/shop.ts'
import { SteadyLoad } from './support/steady-load.ts'
import { createStorage } from './support/storage.ts'

const CONSUMERS = ['inventory', 'shipping', 'invoicing']

/** Changes a second; each goes to three consumers. */
const RATE = 10_000

/** Where somebody watches while messages pass. */
const PAGES = {
  overview: '/',
  'live tail of the source': '/tail?source=shop',
  'live tail of a consumer': '/tail?consumer=inventory',
  'a consumer with its charts': '/consumers/inventory',
}

/** What Chromium drew in a while. */
interface Frames {
  readonly perSecond: number
  readonly medianMs: number
  readonly p95Ms: number
  readonly longestMs: number
  /** Tasks that kept the page from answering for more than 50 ms. */
  readonly longTasks: number
  readonly longTasksMs: number
}

/** How smooth the console stays while messages pass: everything on the same cores, the browser too. */
export async function run(options: BenchOptions): Promise<void> {
  const seconds = options.seconds ?? (options.smoke ? 1 : 15)
  const rate = options.smoke ? 1000 : RATE
  const warmUp = options.smoke ? 0 : 5
  const postgres = await openBenchPostgres(options.postgres)
  const shop = await createShop(postgres)
  const browser = await launchBrowser()
  const slot = await shop.createSlot()
  const storage = await createStorage(await postgres.createDatabase('storage'), shop.url, slot)
  const server = await startMillrace(storage)
  const load = new SteadyLoad({
    shopUrl: shop.url,
    serverUrl: server.url,
    consumers: CONSUMERS,
    rate,
  })
  try {
    await server.createConsumers(CONSUMERS)
    load.start()
    const figures: Figure[] = []
    for (const [what, path] of Object.entries(PAGES)) {
      const page = await openPage(browser, server.url, path)
      await page.waitForTimeout(warmUp * 1000)
      const { placed, acked } = load
      const begun = performance.now()
      const frames = await measureFrames(page, seconds)
      const tookS = (performance.now() - begun) / 1000
      await page.context().close()
      figures.push({
        what,
        workload: `${formatRate((load.placed - placed) / tookS, 'changes')}, ${formatRate((load.acked - acked) / tookS, 'messages')} acked`,
        value: describeFrames(frames),
      })
      note(`${what}: ${figures.at(-1)!.value}`)
    }
    printFigures(`bench console on ${describeMachine(postgres.description)}`, figures)
  } finally {
    await load.stop()
    await browser.close()
    await server.stop()
    await shop.dropSlot(slot)
    await shop.close()
    await postgres.stop()
  }
}

async function launchBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
    headless: true,
  })
}

async function openPage(browser: Browser, address: string, path: string): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    locale: 'en-US',
  })
  const page = await context.newPage()
  await page.goto(`${address}${path}#token=${TOKEN}`)
  await page.locator('main h1').first().waitFor()
  return page
}

/** Runs in the page: the time between frames, and the tasks that were too long. */
async function measureFrames(page: Page, seconds: number): Promise<Frames> {
  return page.evaluate(
    `new Promise((resolve) => {
      const gaps = []
      const tasks = []
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) tasks.push(duration)
      })
      observer.observe({ entryTypes: ['longtask'] })
      const begun = performance.now()
      let before = begun
      const step = (now) => {
        gaps.push(now - before)
        before = now
        if (now - begun < ${seconds * 1000}) return requestAnimationFrame(step)
        observer.disconnect()
        gaps.sort((a, b) => a - b)
        const at = (share) => gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))]
        resolve({
          perSecond: gaps.length / ((now - begun) / 1000),
          medianMs: at(0.5),
          p95Ms: at(0.95),
          longestMs: gaps.at(-1),
          longTasks: tasks.length,
          longTasksMs: tasks.reduce((sum, each) => sum + each, 0),
        })
      }
      requestAnimationFrame(step)
    })`,
  )
}

function describeFrames(frames: Frames): string {
  const { perSecond, medianMs, p95Ms, longestMs, longTasks, longTasksMs } = frames
  const times = `median ${medianMs.toFixed(1)} ms, p95 ${p95Ms.toFixed(1)} ms, longest ${Math.round(longestMs)} ms`
  return `${perSecond.toFixed(1)} frames/s, ${times}, ${longTasks} tasks over 50 ms (${Math.round(longTasksMs)} ms)`
}

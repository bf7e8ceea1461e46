import { describe, expect } from 'vitest'

import { ADMIN_TOKEN } from '../http/api.ts'
import { startReceiver } from '../push/support/receiver.ts'
import { test as base } from '../sdk/support/server.ts'
import { runCommand, type CliRun } from '../support/run-cli.ts'

const test = base.extend<{
  millrace: (...commandLine: string[]) => Promise<CliRun>
  /** Answers with a status and a text. */
  answer: { status: number; text: string }
}>({
  answer: async ({}, use) => {
    await use({ status: 200, text: 'welcome' })
  },
  millrace: async ({ url, answer }, use) => {
    const receiver = await startReceiver((response) =>
      response.writeHead(answer.status).end(answer.text),
    )
    const environment = { MILLRACE_URL: url, MILLRACE_TOKEN: ADMIN_TOKEN }
    const millrace = (...commandLine: string[]) => runCommand(environment, commandLine)
    const settings = JSON.stringify({ mode: 'push', push: { url: receiver.url } })
    const put = 'consumers put shipping --source shop --tables public.orders --settings'.split(' ')
    expect((await millrace(...put, settings)).errors).toBe('')
    await use(millrace)
    await receiver.close()
  },
})

describe('millrace consumers test-push', () => {
  test('says what the webhook answered', async ({ millrace }) => {
    const { code, out } = await millrace('consumers', 'test-push', 'shipping')
    expect([code, out]).toEqual([0, [expect.stringMatching(/^answered 200: welcome \(\d+ ms\)$/)]])
  })

  test('fails when the webhook does, and keeps its control characters from the terminal', async ({
    millrace,
    answer,
  }) => {
    Object.assign(answer, { status: 500, text: 'broken \u001b[31m' })
    const { code, out, errors } = await millrace('consumers', 'test-push', 'shipping')
    expect(code).toBe(1)
    expect(out[0]).toMatch(/^answered 500: broken \ufffd\[31m \(\d+ ms\)$/)
    expect(errors).toBe('the webhook failed: status\n')
  })

  test('prints JSON for programs', async ({ millrace }) => {
    const { out } = await millrace('consumers', 'test-push', 'shipping', '--json')
    expect(JSON.parse(out[0]!)).toMatchObject({ success: true, status: 200, answer: 'welcome' })
  })
})

describe('millrace consumers rotate-secret', () => {
  test('shows the new secret', async ({ millrace }) => {
    const { code, out } = await millrace('consumers', 'rotate-secret', 'shipping', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(out[0]!)).toEqual({
      push_secret: expect.stringMatching(/^whsec_/),
      previous_expires_at: expect.any(String),
    })
  })
})

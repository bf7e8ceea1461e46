import { useEffect, useState } from 'preact/hooks'

import { client } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { toPush, type PushForm } from './push-fields.tsx'
import { PushResult, type PushTest } from './push-result.tsx'

/** Tries an address before anything is pushed to it. */
export function WebhookTest({ form }: { form: PushForm }) {
  const [result, setResult] = useState<PushTest>()
  // What was found is about another address now.
  const asked = JSON.stringify(form)
  useEffect(() => setResult(undefined), [asked])
  const test = async (): Promise<void> => {
    setResult(undefined)
    setResult(await client.consumers.testWebhook({ push: toPush(form) }))
  }
  return (
    <div class="stack">
      <div class="row">
        <Button disabled={form.url === ''} onClick={test}>
          Send a test
        </Button>
        <span class="hint">
          A sample, signed with a secret made up for it: an endpoint that verifies refuses it.
        </span>
      </div>
      {result && <PushResult result={result} />}
    </div>
  )
}

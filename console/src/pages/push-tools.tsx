import { useState } from 'preact/hooks'

import { client } from '../api.ts'
import { formatTime } from '../format.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/code.tsx'
import { Confirm, Dialog } from '../ui/dialog.tsx'
import { Note } from '../ui/parts.tsx'
import { PushResult, type PushTest } from './push-result.tsx'

type Secret = Awaited<ReturnType<typeof client.consumers.rotateSecret>>

/** Whether the webhook can be reached, and a new secret for it. */
export function PushTools({ name }: { name: string }) {
  const [result, setResult] = useState<PushTest>()
  const [isRotating, setIsRotating] = useState(false)
  const [secret, setSecret] = useState<Secret>()
  const test = async (): Promise<void> => {
    setResult(undefined)
    setResult(await client.consumers.testPush(name))
  }
  return (
    <section class="form-section" aria-label="Webhook">
      <div class="section-head">
        <h2>Webhook</h2>
        <div class="row">
          <Button onClick={test}>Send a test</Button>
          <Button onClick={() => setIsRotating(true)}>New secret …</Button>
        </div>
      </div>
      <p class="hint">
        A test is a signed sample with <code>metadata.test</code>, sent once to the address that is
        saved. No message of the queue is touched.
      </p>
      {result && <PushResult result={result} />}
      {isRotating && (
        <Confirm
          title={`Make a new secret for ${name}?`}
          action="Make a new one"
          onConfirm={async () => setSecret(await client.consumers.rotateSecret(name))}
          onClose={() => setIsRotating(false)}
        >
          <p>
            For 24 hours requests are signed with both, the old one and the new: time to change it
            at the receiver.
          </p>
        </Confirm>
      )}
      {secret && (
        <SecretDialog secret={secret.push_secret} onClose={() => setSecret(undefined)}>
          <p class="hint">
            The old one is still used beside it until {formatTime(secret.previous_expires_at)}.
          </p>
        </SecretDialog>
      )}
    </section>
  )
}

interface SecretDialogProps {
  secret: string
  children?: preact.ComponentChildren
  onClose: () => void
}

export function SecretDialog({ secret, children, onClose }: SecretDialogProps) {
  return (
    <Dialog title="The signing secret" wide onClose={onClose}>
      <Note tone="warn">Copy it now: it is shown this once.</Note>
      <Code text={secret} label="The secret" wrap />
      <p class="hint">The receiver verifies with it that a request came from here.</p>
      {children}
      <div class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          I have it
        </Button>
      </div>
    </Dialog>
  )
}

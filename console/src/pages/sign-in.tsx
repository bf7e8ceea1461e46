import { useState } from 'preact/hooks'

import { signIn } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Field } from '../ui/field.tsx'
import { Logo } from '../ui/icon.tsx'

export function SignIn() {
  const [token, setToken] = useState('')
  const [fault, setFault] = useState<string>()
  const [isBusy, setIsBusy] = useState(false)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setIsBusy(true)
    setFault(await signIn(token.trim()))
    setIsBusy(false)
  }
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <div class="brand">
          <Logo />
          Millrace
        </div>
        <div>
          <h1>Sign in</h1>
          <p class="muted">With a token of this server.</p>
        </div>
        <Field
          label="Token"
          type="password"
          value={token}
          onInput={setToken}
          error={fault}
          placeholder="mr_…"
          autocomplete="current-password"
          required
          autofocus
          mono
        />
        <Button kind="primary" type="submit" disabled={isBusy || token.trim() === ''}>
          {isBusy ? 'Signing in …' : 'Sign in'}
        </Button>
        <p class="hint">
          <code>millrace dev</code> prints a link that signs in. Elsewhere, use the admin token in{' '}
          <code>MILLRACE_ADMIN_TOKEN</code>, or ask for a token with the scope <code>read</code>.
        </p>
      </form>
    </main>
  )
}

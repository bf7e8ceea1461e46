import { useSyncExternalStore } from './use-store.ts'

export type Scope = 'consume' | 'read' | 'manage' | 'admin'

export interface Session {
  scopes: Scope[]
  consumers: '*' | string[]
}

type State = { status: 'unknown' | 'out' } | { status: 'in'; session: Session }

let state: State = { status: 'unknown' }
const listeners = new Set<() => void>()

function setState(next: State): void {
  state = next
  for (const listener of listeners) listener()
}

/** Cookies alone change nothing: the server wants to see this header too. */
export const CONSOLE_HEADERS = { 'x-millrace-console': '1' }

export function useSession(): State {
  return useSyncExternalStore(listeners, () => state)
}

/** Whether the signed-in token has a scope; what it may not do is not offered. */
export function may(scope: Scope): boolean {
  return state.status === 'in' && state.session.scopes.includes(scope)
}

/** Whether the token is bound to no consumers: sources and tokens are for those alone. */
export function seesEverything(): boolean {
  return state.status === 'in' && state.session.consumers === '*'
}

/** Picks up where the last visit ended, or signs in with the token of a link. */
export async function resumeSession(): Promise<void> {
  const token = takeTokenFromAddress()
  if (token !== undefined && (await signIn(token)) === undefined) return
  const response = await fetch('/session').catch(() => undefined)
  if (response?.ok) setState({ status: 'in', session: (await response.json()) as Session })
  else setState({ status: 'out' })
}

/** Answers what is wrong, or nothing. */
export async function signIn(token: string): Promise<string | undefined> {
  const response = await fetch('/session', {
    method: 'POST',
    headers: { ...CONSOLE_HEADERS, 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  }).catch(() => undefined)
  if (!response) return 'The server did not answer. Is it running?'
  const answer = (await response.json().catch(() => ({}))) as Session & { detail?: string }
  if (!response.ok) return answer.detail ?? `The server answered ${response.status}.`
  setState({ status: 'in', session: answer })
  return undefined
}

export async function signOut(): Promise<void> {
  await fetch('/session', { method: 'DELETE', headers: CONSOLE_HEADERS }).catch(() => undefined)
  endSession()
}

/** The server no longer takes the session. */
export function endSession(): void {
  if (state.status === 'in') setState({ status: 'out' })
}

/** A fragment is never sent to a server; taken out of the address, it stays in no history either. */
function takeTokenFromAddress(): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (!token) return undefined
  history.replaceState(null, '', location.pathname + location.search)
  return token
}

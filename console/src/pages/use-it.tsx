import { useState } from 'preact/hooks'

import { freshTokenOf, makeConsumeToken } from '../fresh-tokens.ts'
import { may, seesEverything } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { Code } from '../ui/code.tsx'
import { Note } from '../ui/parts.tsx'
import { pullSnippets, pushSnippets } from './snippets.ts'

interface UseItProps {
  consumer: { name: string; mode: 'pull' | 'push' }
}

/** What a service needs: its language's few lines, and a token. */
export function UseIt({ consumer: { name, mode } }: UseItProps) {
  const [token, setToken] = useState(() => freshTokenOf(name))
  const snippets =
    mode === 'pull' ? pullSnippets(location.origin, name, token ?? 'mr_…') : pushSnippets()
  const [language, setLanguage] = useState(snippets[0]!.language)
  const shown = snippets.find((snippet) => snippet.language === language) ?? snippets[0]!
  const makeToken = async (): Promise<void> => {
    setToken(await makeConsumeToken(name))
  }
  return (
    <div class="stack">
      {mode === 'pull' ? (
        <p class="muted">
          Receive, work, ack. What is not acked before its lease ends is delivered again.
        </p>
      ) : (
        <p class="muted">
          Messages are POSTed to the consumer’s URL until it answers 2xx. Requests are signed as
          Standard Webhooks have it: verify before you believe.
        </p>
      )}
      {mode === 'pull' && may('admin') && seesEverything() && token === undefined && (
        <div class="row">
          <Button onClick={makeToken}>Make a token for this service</Button>
          <span class="hint">It may receive and settle messages of {name}, and nothing else.</span>
        </div>
      )}
      {token !== undefined && (
        <Note tone="warn">
          <strong>The token is in the example below.</strong> Copy it now: it is shown this once.
        </Note>
      )}
      <div class="section">
        <div class="section-head">
          <h2>Example</h2>
          <div class="segments" role="group" aria-label="Language">
            {snippets.map((snippet) => (
              <button
                key={snippet.language}
                type="button"
                aria-pressed={snippet.language === shown.language}
                onClick={() => setLanguage(snippet.language)}
              >
                {snippet.language}
              </button>
            ))}
          </div>
        </div>
        <Code text={shown.text} label={`Example in ${shown.language}`} />
      </div>
    </div>
  )
}

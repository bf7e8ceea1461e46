import { ErrorBoundary, LocationProvider, Route, Router } from 'preact-iso'

import { adminsAlone } from './admins-alone.tsx'
import { lazyPart } from './lazy-part.tsx'
import { Overview } from './pages/overview.tsx'
import { SignIn } from './pages/sign-in.tsx'
import { useSession } from './session.ts'
import { Shell } from './shell.tsx'
import { Empty, Skeletons } from './ui/parts.tsx'
import { Toasts } from './ui/toast.tsx'

// What is not on the way from signing in to the overview comes when it is needed.
const Consumer = lazyPart(() => import('./pages/consumer.tsx').then((page) => page.Consumer))
const NewConsumer = adminsAlone(
  lazyPart(() => import('./pages/new-consumer.tsx').then((page) => page.NewConsumer)),
  { what: 'Creating a consumer', everything: false },
)
const Connect = adminsAlone(
  lazyPart(() => import('./pages/connect.tsx').then((page) => page.Connect)),
  { what: 'Connecting a database', everything: true },
)
const Sources = lazyPart(() => import('./pages/sources.tsx').then((page) => page.Sources))
const Source = lazyPart(() => import('./pages/source.tsx').then((page) => page.Source))
const Change = lazyPart(() => import('./pages/change.tsx').then((page) => page.Change))
const Tail = lazyPart(() => import('./pages/tail.tsx').then((page) => page.Tail))
const Tokens = adminsAlone(
  lazyPart(() => import('./pages/tokens.tsx').then((page) => page.Tokens)),
  { what: 'Making tokens', everything: true },
)
const About = lazyPart(() => import('./pages/about.tsx').then((page) => page.About))

function NotFound() {
  return (
    <Empty title="There is nothing here" action={<a href="/">Back to the overview</a>}>
      The address may be mistyped, or what it named was deleted.
    </Empty>
  )
}

export function App() {
  const session = useSession()
  if (session.status === 'unknown') return <Skeletons />
  return (
    <LocationProvider>
      {session.status === 'out' ? (
        <SignIn />
      ) : (
        <Shell>
          <ErrorBoundary>
            <Router>
              <Route path="/" component={Overview} />
              <Route path="/consumers/new" component={NewConsumer} />
              <Route path="/consumers/:consumer/:tab?" component={Consumer} />
              <Route path="/sources" component={Sources} />
              <Route path="/sources/new" component={Connect} />
              <Route path="/sources/:source/changes/:seq" component={Change} />
              <Route path="/sources/:source/:tab?" component={Source} />
              <Route path="/tail" component={Tail} />
              <Route path="/tokens" component={Tokens} />
              <Route path="/about" component={About} />
              <Route default component={NotFound} />
            </Router>
          </ErrorBoundary>
        </Shell>
      )}
      <Toasts />
    </LocationProvider>
  )
}

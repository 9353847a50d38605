import type { ComponentChildren } from 'preact'
import type { ApiError } from '../state/api.ts'
import { CopyLine } from './copy.tsx'
import { Logo } from './icons.tsx'

/** What is shown instead of the numbers: to who is not signed in, while the server is away, and where there is no site yet. */
type Props = { title: string; busy?: boolean; children: ComponentChildren }

const Gate = ({ title, busy = false, children }: Props) => (
  <main class="gate" aria-busy={busy}>
    <div class="panel gate-in">
      <p class="brand">
        <Logo />
        Footfall
      </p>
      <h1>{title}</h1>
      {children}
    </div>
  </main>
)

const Retry = ({ ask, label = 'Try again' }: { ask: () => void; label?: string }) => (
  <button type="button" class="button" onClick={ask}>
    {label}
  </button>
)

export const Asking = () => (
  <main class="gate" aria-busy="true">
    <h1 class="spoken">Footfall</h1>
    <p class="quiet late">Looking who you are …</p>
  </main>
)

export const SignedOut = ({ ask }: { ask(): void }) => (
  <Gate title="You are not signed in">
    <p>On the machine that Footfall runs on, print a sign-in link, and open it in this browser:</p>
    <CopyLine text="npm run footfall -- link" />
    <p class="quiet">
      A link works once, within an hour; <code>npm start</code> prints one too. If yours was used already, or something previewed it for
      you, print another. A link opened in another tab lets this page in as well, at the address it has now.
    </p>
    <Retry ask={ask} label="I am signed in now" />
  </Gate>
)

export const WriteOnly = ({ leave }: { leave(): void }) => (
  <Gate title="This sign-in may not look">
    <p>
      It came from a key with the role <code>write</code>, which sends hits and sees nothing. Sign in with a link from a key that reads or
      owns:
    </p>
    <CopyLine text="npm run footfall -- link" />
    <Retry ask={leave} label="Sign out" />
  </Gate>
)

export const Unreachable = ({ error, ask }: { error: ApiError; ask(): void }) => (
  <Gate title={error.code === 'starting' ? 'Footfall is starting' : 'Footfall cannot be reached'} busy>
    <p role="status">{error.message}</p>
    <p class="quiet">{error.hint} This page goes on by itself as soon as there is an answer.</p>
    <Retry ask={ask} label="Try now" />
  </Gate>
)

export const NoSite = ({ only, ask }: { only: string | null; ask(): void }) => (
  <Gate title="There is no site yet">
    {only === null ? (
      <>
        <p>Add one on the machine that Footfall runs on; it appears here by itself:</p>
        <CopyLine text="npm run footfall -- site add example.com" />
      </>
    ) : (
      <p>
        You are signed in for <b>{only}</b>, which is not there any more.
      </p>
    )}
    <Retry ask={ask} label="Look again" />
  </Gate>
)

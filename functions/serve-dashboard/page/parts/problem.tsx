import type { ApiError } from '../state/api.ts'

/** What went wrong in one part of the page: the server's sentence, its cure, and a way to try again. */
export const Problem = ({ error, retry }: { error: ApiError; retry?: () => void }) => (
  <div class="problem" role="alert">
    <p>{error.message}</p>
    {error.hint !== '' && <p class="quiet">{error.hint}</p>}
    {retry && (
      <button type="button" class="button small" onClick={retry}>
        Try again
      </button>
    )}
  </div>
)

import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, api, type Settings, type Site } from '../state/api.ts'
import { usePage } from '../state/page.ts'

/** Any failure as one that can be shown. */
export const asError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, 'page', String(error), 'Try again.')

/**
 * The site's settings as they are now, and how to put others in their place. Whoever changed them meanwhile is not overwritten: `save`
 * answers `undefined`, `error` says why, and `load` reads them again.
 */
export const useSettings = (onChanged: (site: Site) => void) => {
  const { site: shown } = usePage()
  const [site, setSite] = useState<Site>()
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(true)
  /** Buttons are not disabled meanwhile: the one that was pressed would lose the focus. */
  const isSaving = useRef(false)
  const run = async (act: () => Promise<Site>): Promise<Site | undefined> => {
    setBusy(true)
    setError(undefined)
    try {
      const next = await act()
      setSite(next)
      return next
    } catch (cause) {
      setError(asError(cause))
      return undefined
    } finally {
      setBusy(false)
    }
  }
  const load = () => run(() => api.site(shown.site))
  useEffect(() => void load(), [shown.site])
  /** `change` says what takes the place of the settings as they were read. */
  const save = async (change: (now: Site) => Partial<Settings>): Promise<Site | undefined> => {
    if (isSaving.current) return undefined
    isSaving.current = true
    try {
      const now = site ?? (await load())
      const next = now && (await run(() => api.setSite(now, change(now))))
      if (next) onChanged(next)
      return next
    } finally {
      isSaving.current = false
    }
  }
  return { site, error, isBusy, load, save }
}

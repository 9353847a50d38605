import { useEffect, useState } from 'preact/hooks'
import type { Asked } from './answers.ts'
import { api } from './api.ts'
import { usePage } from './page.ts'

/**
 * Whether the site has never had a hit. It costs a reading of everything, so it is asked only while the page shows nothing at all, and
 * never again by a browser that has seen a number of the site.
 */
const kept = (site: string): string => `footfall.seen.${site}`

const hasSeen = (site: string): boolean => {
  try {
    return localStorage.getItem(kept(site)) !== null
  } catch {
    return false // a browser that keeps nothing asks each time
  }
}

const keepSeen = (site: string): void => {
  try {
    localStorage.setItem(kept(site), '1')
  } catch {
    // It is asked again next time.
  }
}

/** Whether an answer of any kind has a number that is not 0. */
const hasNumber = (asked: Asked): boolean =>
  asked.answer?.results.some(({ metrics }) => metrics.some((value) => typeof value === 'number' && value > 0)) ?? false

const ask = async (site: string, signal: AbortSignal): Promise<boolean> => {
  const { results } = await api.query(
    { site_id: site, metrics: ['events', 'pageviews'], date_range: 'all', include: { bots: true } },
    signal,
  )
  return results[0]?.metrics.every((value) => value === 0) ?? false
}

/** `true` while no hit has ever come; it turns `false` with the first, by itself. */
export const useNeverHit = (totals: Asked): boolean => {
  const { site, live } = usePage()
  const [isNever, setNever] = useState(false)
  const isNumber = hasNumber(totals)
  const isWanted = totals.answer !== undefined && !totals.isOld && !isNumber

  useEffect(() => {
    if (!isNumber) return
    keepSeen(site.site)
    setNever(false)
  }, [isNumber, site.site])

  // Asked once, and while the answer is "never" with everything that may have changed it.
  const turn = isNever ? live.news : 0
  useEffect(() => {
    if (!isWanted || hasSeen(site.site)) return
    const abort = new AbortController()
    ask(site.site, abort.signal)
      .then((never) => {
        setNever(never)
        if (!never) keepSeen(site.site)
      })
      .catch(() => undefined) // what cannot be answered in time is not nothing
    return () => abort.abort()
  }, [isWanted, site.site, turn])

  return isNever
}

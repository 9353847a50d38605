import { useEffect, useState } from 'preact/hooks'
import { todayIn } from './periods.ts'

/** How often it is looked whether a new day has begun: no timer is exact over a night in which a computer sleeps. */
const lookMs = 10_000

/** The date in a time zone, also after midnight has passed while the page was open. */
export const useToday = (timeZone: string): string => {
  const [now, setNow] = useState(Date.now)
  const today = todayIn(timeZone, now)
  useEffect(() => {
    const timer = setInterval(() => {
      if (todayIn(timeZone, Date.now()) !== today) setNow(Date.now())
    }, lookMs)
    return () => clearInterval(timer)
  }, [timeZone, today])
  return today
}

/** Numbers of the tracker, in one place: the build writes them where they are used. */

/** Hits that wait; beyond, the oldest goes. */
export const hitLimit = 100
/** Hits in one request; its bytes stay below what browsers send for a page that is gone (64 KiB). */
export const batchLimit = 25
export const byteLimit = 60_000
/** Half of how long the server knows an id: what is older may have been counted and forgotten. */
export const ageLimitMs = 12 * 3_600_000
export const answerLimitMs = 30_000
export const urlLimit = 2_000
/** How long a hit waits for company, and for the title: a single-page app sets it some frames after the address. */
export const gatherMs = 300
/** The back-off, which doubles. */
export const firstPatienceMs = 2_000
export const longestPatienceMs = 300_000
/** 13 months, as data protection authorities have it; browsers allow 400 days. */
export const cookieAgeS = 395 * 86_400

import fc from 'fast-check'
import { dimensions, propPrefix } from '#functions/serve-dashboard/page/state/dimensions.ts'
import { type Explore, explorations, rootKeys, stepKeys } from '#functions/serve-dashboard/page/state/explore.ts'
import type { Filter } from '#functions/serve-dashboard/page/state/filters.ts'
import { cards } from '#functions/serve-dashboard/page/state/metrics.ts'
import { addDays, offered } from '#functions/serve-dashboard/page/state/periods.ts'
import { defaultView, panels, panelTabs, type View } from '#functions/serve-dashboard/page/state/view.ts'

/** Whatever a page can be asked to show, and whatever a visitor can have sent. */

/** Texts that have broken other programs. */
export const hostile = [
  '"><img src=x onerror=alert(1)>',
  "'; DROP TABLE hits; --",
  'javascript:alert(1)',
  '__proto__',
  'constructor',
  '\u202eevil\u202c',
  '\u200b\ufeff',
  'a|b "c" \\ d',
  '%2F%25',
  '?&=+#',
  ' leading and trailing ',
  '\t\n\r\u00a0',
  '👩‍👩‍👧 ünï',
  '',
]

export const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 40 }), fc.constantFrom(...hostile))

const anyKey = fc.oneof(
  fc.constantFrom(...dimensions.map(({ key }) => key)),
  anyText.filter((name) => name !== '').map((name) => `${propPrefix}${name}`),
)

export const anyFilter: fc.Arbitrary<Filter> = fc
  .record({
    key: anyKey,
    not: fc.boolean(),
    contains: fc.boolean(),
    values: fc.array(anyText, { minLength: 1, maxLength: 4 }),
  })
  .map((filter) => (filter.key === 'segment' ? { ...filter, contains: false } : filter))
export const anyFilters = fc.array(anyFilter, { maxLength: 5 })

export const anyDate = fc.integer({ min: 0, max: 20_000 }).map((n) => addDays('1999-12-31', n))
export const anyRange = fc
  .tuple(anyDate, fc.integer({ min: 0, max: 4_000 }))
  .map(([first, n]) => (n === 0 ? first : `${first}..${addDays(first, n)}`))

export const anyPeriod = fc.oneof(
  fc.constantFrom(...offered.map(({ period }) => period), '30m'),
  fc.integer({ min: 1, max: 5_000 }).map((n) => `${n}d`),
  fc.integer({ min: 1, max: 100 }).map((n) => `${n}mo`),
  anyRange,
)

const anyTabs = fc.record(
  Object.fromEntries(panels.map((panel) => [panel, fc.constantFrom(...panelTabs[panel])])),
) as unknown as fc.Arbitrary<View['tabs']>

const anyGrouped = fc.constantFrom('source', 'country', 'page', 'prop.plan', 'prop.__proto__', 'prop."> a|b')
const anyStep = anyFilter.chain((filter) => fc.constantFrom(...stepKeys).map((key) => ({ ...filter, key })))
const anyRoot = fc
  .tuple(
    fc.constantFrom(...rootKeys),
    anyText.filter((text) => text !== ''),
  )
  .map(([key, value]) => ({ key, not: false, contains: false, values: [value] }))

export const anyExplore: fc.Arbitrary<Explore> = fc.record({
  open: fc.constantFrom('' as const, ...explorations),
  steps: fc.array(anyStep, { maxLength: 8 }),
  order: fc.constantFrom('ordered' as const, 'strict' as const),
  window: fc.constantFrom('', '90s', '30m', '7d', '36h'),
  split: fc.oneof(fc.constant(''), anyGrouped),
  direction: fc.constantFrom('next' as const, 'previous' as const),
  by: fc.constantFrom('page' as const, 'event' as const),
  root: fc.option(anyRoot, { nil: undefined }),
  trail: fc.array(anyText, { maxLength: 9 }),
  cohorts: fc.constantFrom('' as const, 'day' as const, 'week' as const, 'month' as const),
  cause: anyGrouped,
})

export const anyView: fc.Arbitrary<View> = fc.record({
  site: fc.constantFrom('', 'example.com', 'xn--bcher-kva.example', 'localhost'),
  period: anyPeriod,
  compare: fc.oneof(fc.constantFrom('off', 'previous', 'year'), anyRange),
  weekday: fc.boolean(),
  filters: anyFilters,
  metric: fc.constantFrom(...cards.map(({ name }) => name)),
  interval: fc.constantFrom(...(['', 'minute', 'hour', 'day', 'week', 'month'] as const)),
  bots: fc.boolean(),
  tabs: anyTabs,
  prop: anyText,
  detail: fc.constantFrom('' as const, ...panels),
  explore: anyExplore,
})

export const aView = (part: Partial<View> = {}): View => ({ ...defaultView, site: 'example.com', ...part })

/** Zones whose clocks change, at noon and at midnight, by an hour and by half of one, and ones that lie far off. */
export const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Santiago',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'Africa/Cairo',
]
export const anyZone = fc.constantFrom(...zones)
/** Any second from 2015 to 2034. */
export const anyInstant = fc.integer({ min: 1_420_070_400, max: 2_019_686_400 }).map((seconds) => seconds * 1_000)

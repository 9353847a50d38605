/**
 * The dimensions that the page filters and groups by: the short name they have in the query box, in the URL and on the page, and
 * their name in the API. docs/page.md lists them.
 */
export type Dimension = {
  key: string
  api: string
  label: string
  /** It is named whole: nothing is sought in it, nothing grouped by it. */
  isNamed?: true
}

const named = (key: string, api: string, label: string): Dimension => ({ key, api, label })

export const dimensions: readonly Dimension[] = [
  named('page', 'event:page', 'Page'),
  named('entry', 'visit:entry_page', 'Entry page'),
  named('exit', 'visit:exit_page', 'Exit page'),
  named('host', 'event:hostname', 'Host'),
  named('title', 'event:title', 'Title'),
  named('event', 'event:name', 'Event'),
  named('goal', 'event:goal', 'Goal'),
  { ...named('segment', 'segment', 'Segment'), isNamed: true },
  named('channel', 'visit:channel', 'Channel'),
  named('source', 'visit:source', 'Source'),
  named('referrer', 'visit:referrer', 'Referrer'),
  named('medium', 'visit:medium', 'Medium'),
  named('utm_source', 'visit:utm_source', 'UTM source'),
  named('utm_medium', 'visit:utm_medium', 'UTM medium'),
  named('campaign', 'visit:utm_campaign', 'Campaign'),
  named('content', 'visit:utm_content', 'UTM content'),
  named('term', 'visit:utm_term', 'UTM term'),
  named('country', 'visit:country', 'Country'),
  named('region', 'visit:region', 'Region'),
  named('city', 'visit:city', 'City'),
  named('browser', 'visit:browser', 'Browser'),
  named('browser_version', 'visit:browser_version', 'Browser version'),
  named('os', 'visit:os', 'Operating system'),
  named('os_version', 'visit:os_version', 'System version'),
  named('device', 'visit:device', 'Device'),
  named('screen', 'visit:screen', 'Screen size'),
  named('language', 'visit:language', 'Language'),
  named('new', 'visit:new', 'New or returning'),
  named('bot', 'visit:bot', 'Flagged as'),
  named('hour', 'visit:hour_of_day', 'Hour of day'),
  named('weekday', 'visit:day_of_week', 'Day of week'),
]

const byKey = new Map(dimensions.map((one) => [one.key, one]))

/** A property of an event: `prop.plan` is `event:props:plan`. */
export const propPrefix = 'prop.'

/** The dimension of a key; `undefined` when there is none of that name. */
export const dimensionOf = (key: string): Dimension | undefined => {
  if (!key.startsWith(propPrefix)) return byKey.get(key)
  const name = key.slice(propPrefix.length)
  return name === '' ? undefined : { key, api: `event:props:${name}`, label: name }
}

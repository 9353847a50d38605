/**
 * A first page: who is signed in, today's numbers of each site, and one site watched live. Everything that comes from the server is
 * put in as text, never as markup: visitors choose titles and referrers. A single stream is open at a time, because browsers allow
 * six connections to a server over HTTP/1.1 and the queries need some.
 */

const by = (id) => document.getElementById(id)
const number = new Intl.NumberFormat()
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

const everyMs = 30_000
const soonestMs = 1_000

const state = { sites: [], watched: '', stream: undefined, asked: 0, waiting: undefined }

const ask = async (method, path, body) => {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const answer = response.status === 204 ? undefined : await response.json()
  if (response.ok) return answer
  throw Object.assign(new Error(`${answer.error} ${answer.hint ?? ''}`), { status: response.status })
}

const problem = (text) => {
  by('problem').textContent = text
}

/** "data to 14:03:07, 0.4 s behind" */
const freshness = ({ as_of: asOf, lag_ms: lag, incomplete_since: since }) => {
  const missing = since ? `; incomplete since ${since}` : ''
  if (asOf === undefined || asOf === null) return `no data yet${missing}`
  return `data to ${clock.format(new Date(asOf))}, ${((lag ?? 0) / 1000).toFixed(1)} s behind${missing}`
}

const cell = (row, text, name) => {
  const td = row.insertCell()
  td.textContent = text
  if (name) td.className = name
  return td
}

const rowOf = (site) => {
  const row = document.createElement('tr')
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = site
  button.addEventListener('click', () => watch(site))
  const head = document.createElement('th')
  head.scope = 'row'
  head.append(button)
  row.append(head)
  return { site, row, button, visitors: cell(row, '…', 'number'), pageviews: cell(row, '…', 'number'), fresh: cell(row, '') }
}

const refresh = async (entry) => {
  const query = { site_id: entry.site, metrics: ['visitors', 'pageviews'], date_range: 'day' }
  try {
    const { results, meta } = await ask('POST', '/api/v2/query', query)
    const [visitors = 0, pageviews = 0] = results[0]?.metrics ?? []
    entry.visitors.textContent = number.format(visitors)
    entry.pageviews.textContent = number.format(pageviews)
    entry.fresh.textContent = freshness(meta)
  } catch (error) {
    entry.fresh.textContent = 'not known now'
    problem(`${entry.site}: ${error.message}`)
    if (error.status === 401) await showWho()
  }
}

/** Asks for the watched site again, at most once a second however often the server has news. */
const refreshSoon = () => {
  if (state.waiting !== undefined) return
  const wait = Math.max(0, state.asked + soonestMs - performance.now())
  state.waiting = setTimeout(() => {
    state.waiting = undefined
    state.asked = performance.now()
    const entry = state.sites.find(({ site }) => site === state.watched)
    if (entry) void refresh(entry)
  }, wait)
}

const showLive = (on, text) => {
  by('dot').classList.toggle('on', on)
  by('live').textContent = text
}

const parsed = (event) => {
  try {
    return JSON.parse(event.data)
  } catch {
    return {} // a message that is not ours changes nothing
  }
}

const openStream = (site) => {
  const stream = new EventSource(`/api/live/${encodeURIComponent(site)}`)
  stream.addEventListener('current', (event) => {
    const { visitors } = parsed(event)
    if (typeof visitors === 'number') showLive(true, `${number.format(visitors)} current visitor${visitors === 1 ? '' : 's'} on ${site}`)
  })
  stream.addEventListener('freshness', refreshSoon)
  stream.addEventListener('error', () => {
    if (stream.readyState === EventSource.CLOSED)
      showLive(false, `${site} cannot be watched live; its numbers are asked for every ${everyMs / 1000} s.`)
    else showLive(false, `The live connection to ${site} is interrupted; trying again.`)
  })
  return stream
}

/** Watches a site, and remembers it in the address. */
const watch = (site) => {
  state.stream?.close()
  state.watched = site
  for (const entry of state.sites) entry.button.setAttribute('aria-pressed', String(entry.site === site))
  if (site === '') return showLive(false, 'No site is watched.')
  history.replaceState(null, '', `#${encodeURIComponent(site)}`)
  showLive(false, `Connecting to ${site} …`)
  state.stream = document.hidden ? undefined : openStream(site)
}

const wanted = () => {
  try {
    return decodeURIComponent(location.hash.slice(1))
  } catch {
    return '' // an address that somebody typed
  }
}

const showSites = async () => {
  const { sites } = await ask('GET', '/api/sites')
  state.sites = sites.map(({ site }) => rowOf(site))
  by('rows').replaceChildren(...state.sites.map(({ row }) => row))
  by('sites').hidden = false
  if (sites.length === 0) problem('There is no site yet. Add one with: npm run footfall -- site add example.com')
  watch(state.sites.some(({ site }) => site === wanted()) ? wanted() : (sites[0]?.site ?? ''))
  await refreshAll()
}

/** One after the other: a list of a hundred sites must not be a hundred queries at once. */
const refreshAll = async () => {
  if (document.hidden || state.sites.length === 0) return
  problem('')
  for (const entry of state.sites) await refresh(entry)
}

/** Answers whether somebody is signed in. */
const showWho = async () => {
  try {
    const { role, site } = await ask('GET', '/api/me')
    by('who').textContent = `Yes, with the role ${role} for ${site ?? 'all sites'}.`
    by('sign-out').hidden = false
    return true
  } catch (error) {
    const text = 'No. The command  npm run footfall -- link  prints a link that signs in, once and within an hour.'
    by('who').textContent = error.status === 401 ? text : `Not known: ${error.message}`
    by('sign-out').hidden = true
    by('sites').hidden = true
    state.stream?.close()
    state.sites = []
    return false
  }
}

by('sign-out').addEventListener('click', async () => {
  try {
    await ask('POST', '/api/sign-out')
  } catch (error) {
    problem(error.message)
  }
  await showWho()
})

// A page nobody sees holds no connection.
document.addEventListener('visibilitychange', () => {
  if (state.sites.length === 0) return
  if (document.hidden) state.stream?.close()
  else {
    watch(state.watched)
    void refreshAll()
  }
})

if (await showWho()) {
  try {
    await showSites()
  } catch (error) {
    by('who').textContent = error.message
  }
  setInterval(() => void refreshAll(), everyMs)
}

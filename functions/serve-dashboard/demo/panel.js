/**
 * What the tracker has just sent, as it tells the page by its event `footfall`: for those who want to see what a tracker does. No site
 * needs this.
 */
const storedAs = 'demo-panel'
const shownLimit = 12

/** Newest first; kept over pages, since what is said on leaving can only be read on the next one. */
let entries = []
try {
  entries = JSON.parse(sessionStorage.getItem(storedAs) ?? '[]')
} catch {
  entries = [] // nothing can be stored here: the list is that of this page
}

const store = () => {
  try {
    sessionStorage.setItem(storedAs, JSON.stringify(entries))
  } catch {
    // the list is that of this page then
  }
}

const detailOf = ({ props, revenue, engaged, scroll }) =>
  [
    ...Object.entries(props ?? {}).map(([key, value]) => `${key}: ${value}`),
    ...(revenue ? [`${revenue.amount} ${revenue.currency}`] : []),
    ...(engaged === undefined ? [] : [`${(engaged / 1_000).toFixed(1)} s in front`]),
    ...(scroll === undefined ? [] : [`${scroll} % seen`]),
  ].join(', ')

const stateOf = (status) => (status === undefined ? 'on its way' : status < 300 ? 'counted' : `refused (${status})`)

const put = (hit, status) => {
  const known = entries.find(({ id }) => id === hit.id)
  if (known) known.status = status
  else entries.unshift({ id: hit.id, name: hit.name, page: new URL(hit.url).pathname, detail: detailOf(hit), status })
  entries.length = Math.min(entries.length, shownLimit)
}

const make = (name, text, className) => {
  const element = document.createElement(name)
  if (text) element.textContent = text
  if (className) element.className = className
  return element
}

const row = ({ name, page, detail, status }) => {
  const item = make('li')
  item.append(
    make('b', name),
    ' ',
    make('span', page, 'page'),
    ' ',
    make('span', stateOf(status), status === undefined ? 'waiting' : 'done'),
  )
  if (detail) item.append(make('small', detail))
  return item
}

const isOff = () => {
  try {
    return localStorage.getItem('_ff_off') !== null
  } catch {
    return false // where nothing is stored, nobody is switched off
  }
}

let list
let note

const draw = () => {
  if (!list) return
  note.textContent = isOff()
    ? 'This browser is not counted here.'
    : entries.length === 0
      ? 'Nothing yet.'
      : 'Newest first. A page that is left says how long it was in front.'
  list.replaceChildren(...entries.map(row))
}

const build = () => {
  const panel = make('details', '', 'panel')
  panel.open = matchMedia('(min-width: 75rem)').matches
  const summary = make('summary', 'What the tracker sends')
  const log = make('div', '', 'log')
  log.setAttribute('role', 'log')
  log.setAttribute('aria-label', 'Hits')
  log.tabIndex = 0
  note = make('p')
  list = make('ol')
  const link = make('a', 'See these numbers')
  link.href = '/?site=localhost'
  log.append(note, list)
  panel.append(summary, log, link)
  const aside = make('aside')
  aside.setAttribute('aria-label', 'What the tracker sends')
  aside.append(panel)
  document.body.append(aside)
  draw()
}

addEventListener('footfall', ({ detail: { hits, status } }) => {
  for (const hit of hits) put(hit, status)
  store()
  draw()
})
addEventListener('hashchange', () => setTimeout(draw))
addEventListener('DOMContentLoaded', build)

/**
 * The trail finder: a single-page app of the plainest kind. Addresses change by the History API, and each is a file too, so that it can
 * be opened, reloaded and sent to a friend. The tracker sees the new address by itself.
 */
const base = '/demo/trails/'

const trails = [
  {
    slug: 'harebell-loop',
    name: 'Harebell Loop',
    grade: 'easy',
    km: 6.4,
    climb: 210,
    hours: 2,
    heights: [120, 150, 190, 240, 310, 330, 300, 260, 210, 170, 130, 120],
    text: 'Once around the meadow above the village, best in the week when it is blue. A bench at the highest point, and another two minutes further for those who missed it.',
  },
  {
    slug: 'tarn-path',
    name: 'Tarn Path',
    grade: 'easy',
    km: 9.1,
    climb: 340,
    hours: 3,
    heights: [120, 160, 230, 280, 350, 420, 455, 460, 458, 460, 459, 460],
    text: 'Up along the stream to Tarn Hut, where the path stops because the water begins. Bring a towel; you will say you did not mean to swim.',
  },
  {
    slug: 'kestrel-ridge',
    name: 'Kestrel Ridge',
    grade: 'hard',
    km: 14.8,
    climb: 920,
    hours: 7,
    heights: [460, 520, 640, 790, 860, 980, 940, 1040, 1010, 900, 780, 720],
    text: 'The ridge itself: narrow for an hour, windy for six. Turn back when the cairns do. From the top you see both the sea and the way down, and only one of them is inviting.',
  },
  {
    slug: 'lantern-traverse',
    name: 'Lantern Traverse',
    grade: 'two days',
    km: 27.5,
    climb: 1480,
    hours: 13,
    heights: [720, 610, 580, 760, 910, 1040, 870, 640, 590, 800, 690, 410],
    text: 'From Kestrel Hut to Last Hut over two passes, with a night at Lantern Hut between them. Somebody there puts a light into the window until everybody is in.',
  },
]

const place = document.getElementById('trails')

const make = (name, attributes = {}, ...children) => {
  const element = document.createElementNS(
    /^(svg|polyline|polygon)$/.test(name) ? 'http://www.w3.org/2000/svg' : 'http://www.w3.org/1999/xhtml',
    name,
  )
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

const profile = ({ name, heights, climb }) => {
  const highest = Math.max(...heights)
  const points = heights.map((height, i) => `${Math.round((i / (heights.length - 1)) * 300)},${Math.round(96 - (height / highest) * 84)}`)
  return make(
    'svg',
    {
      class: 'profile',
      viewBox: '0 0 300 100',
      role: 'img',
      'aria-label': `Profile of ${name}, ${climb} m of climbing`,
      preserveAspectRatio: 'none',
    },
    make('polygon', { points: `0,100 ${points.join(' ')} 300,100` }),
    make('polyline', { points: points.join(' ') }),
  )
}

const facts = ({ km, climb, hours, grade }) =>
  make('p', { class: 'facts' }, ...[`${km} km`, `${climb} m up`, `${hours} h`, grade].map((text) => make('span', {}, text)))

const card = (trail) =>
  make('li', {}, profile(trail), make('h2', {}, make('a', { href: `${base}${trail.slug}/` }, trail.name)), facts(trail))

const list = () => [
  make('h1', {}, 'Trails'),
  make(
    'p',
    { class: 'lead' },
    'Four ways over the same hills. Each page here is made in your browser; watch how the tracker follows the address.',
  ),
  make('ul', { class: 'cards trails' }, ...trails.map(card)),
]

const detail = (trail) => {
  const at = trails.indexOf(trail)
  const next = trails[(at + 1) % trails.length]
  return [
    make('p', {}, make('a', { href: base }, '← All trails')),
    make('h1', {}, trail.name),
    facts(trail),
    profile(trail),
    make('p', { class: 'lead' }, trail.text),
    make(
      'p',
      { class: 'actions' },
      make(
        'button',
        { class: 'button', type: 'button', 'data-footfall-event': 'trail_saved', 'data-footfall-trail': trail.slug },
        'Save this trail',
      ),
      make('a', { class: 'button quiet', href: `${base}${next.slug}/` }, `Next: ${next.name}`),
    ),
    make(
      'p',
      { class: 'note' },
      'Saving is counted as ',
      make('code', {}, 'trail_saved'),
      ', by an attribute, with the trail as a property.',
    ),
  ]
}

/** The page of the address that is shown now. */
const show = () => {
  const trail = trails.find(({ slug }) => location.pathname === `${base}${slug}/`)
  place.className = trail ? 'trail' : ''
  place.replaceChildren(...(trail ? detail(trail) : list()))
  document.title = `${trail ? trail.name : 'Trails'} · Corrie & Kettle`
}

const go = (url) => {
  history.pushState({}, '', url)
  show()
  scrollTo(0, 0)
  document.getElementById('main').focus({ preventScroll: true })
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href]')
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  if (!link || !isPlain || !link.pathname.startsWith(base) || link.origin !== location.origin || link.hash) return
  event.preventDefault()
  go(link.href)
})
addEventListener('popstate', show)
show()

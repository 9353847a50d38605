import { record } from './pages.ts'
import { listen } from './quiet.ts'
import { hosts, site } from './tag.ts'

/**
 * What visitors do, read off the markup: events that elements name themselves (`data-footfall-event`), links that lead out, files that
 * are fetched, forms that are sent.
 */
const prefix = 'data-footfall-'
const files =
  /\.(7z|apk|avi|csv|deb|dmg|docx?|epub|exe|gpx|gz|ics|iso|mov|mp[34]|msi|od[pst]|pdf|pkg|pptx?|rar|rtf|tgz|txt|wav|webm|xlsx?|zip)$/i

/** The event that an element names, with its properties and revenue; false where it names none. */
const recordOwn = (element: Element): boolean => {
  const props: { [key: string]: string } = {}
  for (const { name, value } of element.attributes) if (name.startsWith(prefix)) props[name.slice(prefix.length)] = value
  const { event, revenue: amount, currency, ...rest } = props
  if (event) record(event, { props: rest, ...(amount && currency && { revenue: { amount, currency } }) })
  return !!event
}

const isOwnHost = (host: string): boolean =>
  [location.hostname, site, ...hosts].some((own) => own && `.${host}`.endsWith(`.${own.replace(/^www\./, '')}`))

/** An address without query and fragment, which may say who somebody is. */
const place = ({ origin, pathname }: URL): string => origin + pathname

const recordLink = (link: Element): void => {
  const url = new URL(link.getAttribute('href')!, document.baseURI)
  if (!/^http/.test(url.protocol)) return
  if (link.hasAttribute('download') || files.test(url.pathname)) record('download', { props: { url: place(url) } })
  else if (!isOwnHost(url.hostname)) record('outbound', { props: { url: place(url) } })
}

export const watchClicks = (): void => {
  const onClick = (event: MouseEvent): void => {
    if (event.button > 1) return
    // Through shadow roots too, which `closest` does not see.
    const path = event.composedPath().filter((node): node is HTMLElement => node instanceof Element)
    // A click on a label comes again as one on its control.
    if (path.some(({ control }: HTMLElement & { control?: HTMLElement }) => control && !path.includes(control))) return
    const own = path.find((node) => node.matches(`[${prefix}event]:not(form)`))
    const link = path.find((node) => node.matches('a[href],area[href]'))
    if (own) recordOwn(own)
    if (link && link !== own) recordLink(link)
  }

  const onSubmit = (event: SubmitEvent): void => {
    // By attributes: a field named `id` or `action` stands in the way of the properties.
    const form = event.target as HTMLFormElement
    const attribute = (name: string) => form.getAttribute(name) || ''
    if (!recordOwn(form))
      record('form', { props: { form: attribute('id') || attribute('name'), url: place(new URL(attribute('action'), document.baseURI)) } })
  }

  listen('click', onClick)
  listen('auxclick', onClick)
  listen('submit', onSubmit)
}

/** What a page may say about an event; docs/api.md has the limits. */
export type Options = {
  props?: Record<string, string | number | boolean>
  revenue?: { amount: string | number; currency: string }
  user?: string
  url?: string
  referrer?: string
  title?: string
}

/** A hit as it is sent, but for `queued`, which is added on the way. */
export type Hit = Options & {
  id: string
  site: string
  name: string
  url: string
  screen: string
  language: string
  visitor?: string | undefined
  engaged?: number
  scroll?: number
}

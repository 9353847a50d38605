import { put, remove, storage } from './storage.ts'
import { respect } from './tag.ts'

/** Whether this browser wants to be counted: its owner's own switch, and the signals that the site has said it honours. */
const key = '_ff_off'

/** The switch is an address: any page of the site with `#footfall-off` behind it. */
export const obeyAddress = (): void => {
  if (location.hash === '#footfall-off') put(key, '1')
  if (location.hash === '#footfall-on') remove(key)
}

export const isUnwanted = (): unknown => {
  const { doNotTrack, globalPrivacyControl } = navigator as Navigator & { globalPrivacyControl?: boolean; doNotTrack?: string | null }
  return storage[key] || (/dnt/.test(respect) && doNotTrack === '1') || (/gpc/.test(respect) && globalPrivacyControl)
}

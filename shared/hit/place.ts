import { Reader, type Response } from 'mmdb-lib'
import { createRecent } from '../recent.ts'
import { isPrivate, parseAddress } from './address.ts'
import { countryName } from './countries.ts'
import type { Place } from './record.ts'

/** Where an address is, from a database in MaxMind's format. The caller reads the file; no address leaves this module. */

/**
 * The fields that are read of a record. Country databases of ip-location-db hold `country_code` alone; city databases
 * laid out as MaxMind's hold the rest.
 */
type PlaceRecord = {
  country_code?: unknown
  country?: { iso_code?: unknown }
  subdivisions?: { iso_code?: unknown }[]
  city?: { names?: { en?: unknown } }
}

const nowhere: Place = Object.freeze({})

/**
 * A look-up of places with a memory of its last `capacity` answers. An address that is private, unknown or none gives `{}`.
 * Answers are frozen and shared. Throws mmdb-lib's Error when the buffer is no database; the look-up itself never throws.
 */
export const createPlaces = (database: Buffer, capacity = 2_000): ((address: string) => Place) => {
  const reader = new Reader<Response>(database)
  const recent = createRecent<Place>(capacity)
  return (address) => {
    const known = recent.get(address)
    if (known !== undefined) return known
    const place = lookUp(reader, address)
    // Callers give canonical text; a longer key can only be garbage.
    if (address.length <= 45) recent.set(address, place)
    return place
  }
}

const lookUp = (reader: Reader<Response>, text: string): Place => {
  const address = parseAddress(text)
  if (address === undefined || isPrivate(address)) return nowhere
  // An IPv4 database has a tree of 32 levels, in which the reader would walk an IPv6 address to a wrong place.
  if (reader.metadata.ipVersion === 4 && address.includes(':')) return nowhere
  return placeOf(read(reader, address))
}

/** A damaged file makes the reader throw; then the place is unknown, and the hit still counts. */
const read = (reader: Reader<Response>, address: string): PlaceRecord => {
  try {
    return (reader.get(address) ?? {}) as PlaceRecord
  } catch {
    return {}
  }
}

const placeOf = (record: PlaceRecord): Place => {
  const c = textIf(record.country_code ?? record.country?.iso_code)
  if (c === undefined || countryName(c) === undefined) return nowhere
  const r = textIf(record.subdivisions?.[0]?.iso_code)
  const ci = textIf(record.city?.names?.en)
  return Object.freeze({ c, ...(r && { r: `${c}-${r}` }), ...(ci && { ci }) })
}

const textIf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

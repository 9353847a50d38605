import { geoEqualEarth, geoPath } from 'd3-geo'
import { feature } from 'topojson-client'
import type { GeometryCollection, Topology } from 'topojson-specification'
import world from 'world-atlas/countries-110m.json'
import { valueLabel } from '../state/format.ts'
import { codeOf } from './country-codes.ts'
import { stepOf } from './scale.ts'

/**
 * A map of the countries, the darker the more visitors. It is drawn for the eye alone: the same numbers, and the same filters by
 * keyboard, are in the table of countries. Shapes: Natural Earth through world-atlas, public domain.
 */
const size = { width: 800, height: 390 } as const

type Shape = { code: string; path: string }

const shapesOf = (): Shape[] => {
  const topology = world as unknown as Topology<{ countries: GeometryCollection<{ name: string }> }>
  const all = feature(topology, topology.objects.countries).features.filter(({ id }) => id !== '010') // Antarctica takes a fifth of the height
  const draw = geoPath(geoEqualEarth().fitSize([size.width, size.height], { type: 'FeatureCollection', features: all }))
  const paths = new Map<string, string>()
  for (const one of all) {
    const code = codeOf(one.id as string | undefined, one.properties.name)
    if (code) paths.set(code, `${paths.get(code) ?? ''}${draw(one) ?? ''}`)
  }
  return [...paths].map(([code, path]) => ({ code, path }))
}

const shapes = shapesOf()
const drawn = new Set(shapes.map(({ code }) => code))

/** Whether the map has a shape for a country; the small islands have none at this scale. */
export const isDrawn = (code: string): boolean => drawn.has(code)

type WorldMapProps = {
  /** Visitors by country code. */
  values: ReadonlyMap<string, number>
  textOf(code: string): string
  picked: string | undefined
  label: string
  onPick(code: string): void
}

export const WorldMap = ({ values, textOf, picked, label, onPick }: WorldMapProps) => {
  const most = Math.max(0, ...values.values())
  return (
    <svg class="map" viewBox={`0 0 ${size.width} ${size.height}`} role="img" aria-label={label}>
      {shapes.map(({ code, path }) => {
        const value = values.get(code) ?? 0
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: the table of countries does the same by keyboard.
          <path
            key={code}
            d={path}
            class={`step-${stepOf(value, most)}${picked === code ? ' picked' : ''}`}
            onClick={value > 0 ? () => onPick(code) : undefined}
          >
            <title>{`${valueLabel('country', code)}: ${textOf(code)}`}</title>
          </path>
        )
      })}
    </svg>
  )
}

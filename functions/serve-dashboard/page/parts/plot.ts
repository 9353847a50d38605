import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { brief } from '../state/format.ts'
import type { Unit } from '../state/metrics.ts'
import type { Point, Series } from '../state/series.ts'
import { tickLabel } from '../state/spans.ts'
import { colourOf } from '../state/theme.ts'
import { ticksOf } from '../state/ticks.ts'

/** The drawing of the chart, by uPlot, in a chunk of its own: the numbers do not wait for it. It draws; what it means is said in chart.tsx. */
export type Plotted = { series: Series; unit: Unit }
type Heard = {
  /** The bucket under the pointer and where it stands, in pixels from the left of the whole. */
  hover(at: { index: number; left: number } | undefined): void
  /** From one bucket to another, both included. */
  brush(from: number, to: number): void
}

const heightPx = 264
const tickRoomPx = 76
const leastBrushPx = 6
const font = '12px system-ui, sans-serif'

/** Steps between the lines of the value axis. */
const increments: Readonly<Record<Unit, number[]>> = {
  count: [1, 2, 5].flatMap((n) => Array.from({ length: 12 }, (_, power) => n * 10 ** power)).sort((a, b) => a - b),
  ratio: [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100],
  percent: [1, 2, 5, 10, 20, 25, 50, 100],
  duration: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400],
}

/** Values of the drawn lines: what is settled, what may still change (from the last settled on), and the earlier period. */
const linesOf = (points: readonly Point[]): uPlot.AlignedData => [
  points.map((_, i) => i),
  points.map(({ value, isOpen }) => (isOpen ? null : value)),
  points.map(({ value, isOpen }, i) => (isOpen || points[i + 1]?.isOpen ? value : null)),
  points.map(({ earlier }) => earlier?.value ?? null),
]

/** Values without a neighbour would be no line at all: they are drawn as dots. */
const alone = (values: ArrayLike<number | null | undefined>): number[] =>
  Array.from({ length: values.length }, (_, i) => i).filter((i) => values[i] != null && values[i - 1] == null && values[i + 1] == null)

const dots = (colour: string): uPlot.Series.Points => ({
  show: true,
  size: 6,
  stroke: colour,
  fill: colour,
  filter: (u, series) => alone(u.data[series]!),
})

const shade = (u: uPlot): CanvasGradient => {
  const fill = u.ctx.createLinearGradient(0, u.bbox.top, 0, u.bbox.top + u.bbox.height)
  fill.addColorStop(0, colourOf('--accent', 0.2))
  fill.addColorStop(1, colourOf('--accent', 0.02))
  return fill
}

const seriesOptions = (): uPlot.Series[] => {
  const [accent, earlier] = [colourOf('--accent'), colourOf('--earlier')]
  return [
    {},
    { stroke: accent, width: 2, fill: shade, points: dots(accent) },
    { stroke: accent, width: 2, dash: [2, 4], fill: shade, points: dots(accent) },
    { stroke: earlier, width: 1.5, dash: [6, 4], points: dots(earlier) },
  ]
}

const widest = (u: uPlot, texts: readonly string[]): number => {
  u.ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`
  return Math.max(...texts.map((text) => u.ctx.measureText(text).width)) / devicePixelRatio
}

const axesOptions = (shown: () => Plotted): uPlot.Axis[] => {
  const [quiet, line] = [colourOf('--quiet'), colourOf('--line')]
  const labels = () => shown().series.points.map(({ label }) => label)
  return [
    {
      font,
      stroke: quiet,
      size: 30,
      grid: { show: false },
      ticks: { stroke: line, size: 4 },
      splits: (u) => ticksOf(labels(), shown().series.step, u.width / tickRoomPx),
      values: (_, splits) => {
        const [all, { step }] = [labels(), shown().series]
        const isLong = all[0]!.slice(0, 10) !== all.at(-1)!.slice(0, 10)
        return splits.map((at, i) => tickLabel(all[at]!, step, all[splits[i - 1] ?? -1], isLong))
      },
    },
    {
      font,
      stroke: quiet,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      incrs: increments[shown().unit],
      space: 44,
      gap: 6,
      size: (u, values) => (values ? widest(u, values) + 12 : 40),
      values: (_, splits) => splits.map((value) => brief(value, shown().unit)),
    },
  ]
}

const optionsOf = (width: number, shown: () => Plotted, { hover, brush }: Heard): uPlot.Options => {
  const last = () => shown().series.points.length - 1
  const within = (i: number) => Math.max(0, Math.min(last(), Math.round(i)))
  return {
    width,
    height: heightPx,
    legend: { show: false },
    padding: [12, 28, 0, 0],
    scales: {
      x: { time: false, range: () => (last() > 0 ? [0, last()] : [-0.5, 0.5]) },
      y: { range: (_, __, max) => [0, max > 0 ? max * 1.06 : 1] },
    },
    series: seriesOptions(),
    axes: axesOptions(shown),
    cursor: {
      y: false,
      // On the bucket, not between two.
      move: (u, left, top) => (left < 0 ? [left, top] : [u.valToPos(within(u.posToVal(left, 'x')), 'x'), top]),
      drag: { x: true, y: false, setScale: false },
      points: { size: 8 },
    },
    hooks: {
      setCursor: [
        (u) => {
          const { idx, left = -1 } = u.cursor
          hover(idx == null || left < 0 ? undefined : { index: idx, left: u.over.offsetLeft + u.valToPos(idx, 'x') })
        },
      ],
      setSelect: [
        (u) => {
          const { left, width: wide } = u.select
          if (wide < leastBrushPx) return
          const [from, to] = [within(u.posToVal(left, 'x')), within(u.posToVal(left + wide, 'x'))]
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          brush(from, to)
        },
      ],
    },
  }
}

/** Draws into an element. Colours are those of the moment: begin anew when they change. */
export const createPlot = (into: HTMLElement, first: Plotted, heard: Heard) => {
  let shown = first
  const plot = new uPlot(
    optionsOf(into.clientWidth, () => shown, heard),
    linesOf(first.series.points),
    into,
  )
  const watch = new ResizeObserver(() => {
    if (into.clientWidth > 0 && into.clientWidth !== plot.width) plot.setSize({ width: into.clientWidth, height: heightPx })
  })
  watch.observe(into)
  return {
    /** Other values of the same unit. */
    show(next: Plotted) {
      shown = next
      plot.setData(linesOf(next.series.points))
    },
    end() {
      watch.disconnect()
      plot.destroy()
    },
  }
}

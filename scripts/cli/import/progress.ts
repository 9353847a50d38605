import type { Clock } from '#shared/clock.ts'
import { safeText } from '../print.ts'
import { whole } from './report.ts'

/** How far an import is: a bar that moves on a terminal, a line now and then elsewhere. */

export type Place = { name: string; lines: number; done: number; size: number | undefined }

const barWidth = 24
const terminalMs = 200
const plainMs = 10_000

const bar = (share: number): string => {
  const full = Math.round(Math.min(1, share) * barWidth)
  return `[${'#'.repeat(full)}${'.'.repeat(barWidth - full)}]`
}

const clockText = (seconds: number): string => {
  const all = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(all / 3_600), Math.floor(all / 60) % 60]
  const two = (n: number) => String(n).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`
}

/** `name  [###.....]  42 %  1,200,000 lines  85,000/s  0:14 left`; without a size only what is known. */
export const progressText = ({ name, lines, done, size }: Place, seconds: number): string => {
  const rate = seconds > 0 ? lines / seconds : 0
  const share = size === undefined || size === 0 ? undefined : Math.min(1, done / size)
  const left = share !== undefined && share > 0.01 && seconds > 1 ? (seconds / share) * (1 - share) : undefined
  return [
    safeText(name),
    ...(share === undefined ? [] : [bar(share), `${Math.floor(share * 100)} %`]),
    `${whole(lines)} lines`,
    `${whole(rate)}/s`,
    ...(left === undefined ? [] : [`${clockText(left)} left`]),
  ].join('  ')
}

export type Screen = { isTerminal: boolean; write(text: string): void; columns(): number }

export const terminalScreen: Screen = {
  isTerminal: process.stderr.isTTY === true,
  write: (text) => void process.stderr.write(text),
  columns: () => process.stderr.columns ?? 80,
}

const clear = '\r\u001b[K'

/** Shows a place as often as it is worth it. `end` leaves the terminal as it was. */
export const createProgress = (clock: Clock, { isTerminal, write, columns }: Screen) => {
  const begin = clock.now()
  let told = begin
  return {
    show(place: Place): void {
      const now = clock.now()
      if (now - told < (isTerminal ? terminalMs : plainMs)) return
      told = now
      const text = progressText(place, (now - begin) / 1_000)
      write(isTerminal ? `${clear}${text.slice(0, columns() - 1)}` : `${text}\n`)
    },
    end(): void {
      if (isTerminal) write(clear)
    },
  }
}
export type Progress = ReturnType<typeof createProgress>

import { EventEmitter } from 'node:events'
import { BroadcastChannel } from 'node:worker_threads'
import type { Bus } from '../../ports/bus.ts'

type Message = { subject: string; message: string }

/**
 * bus within one process: an EventEmitter, and a BroadcastChannel of that name between the process's threads.
 * Without a name it stays in its thread.
 */
export const createBus = (name?: string): Bus & { close(): void } => {
  const local = new EventEmitter()
  local.setMaxListeners(0)
  const channel = name === undefined ? undefined : new BroadcastChannel(name)
  if (channel) {
    channel.onmessage = (event) => {
      const { subject, message } = (event as { data: Message }).data
      local.emit(subject, message)
    }
    ;(channel as unknown as { unref(): void }).unref()
  }
  return {
    publish(subject, message) {
      local.emit(subject, message)
      channel?.postMessage({ subject, message } satisfies Message)
    },
    subscribe(subject, take) {
      local.on(subject, take)
      return () => local.off(subject, take)
    },
    close() {
      channel?.close()
      local.removeAllListeners()
    },
  }
}

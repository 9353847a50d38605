/**
 * Real tabs that are really switched: Playwright tells each of its pages that it is in front, so this drives the browser by its own
 * protocol (`launchBrowser({ debuggingPort })`), in the profile that Playwright leaves alone.
 */

type Message = { id?: number; result?: Record<string, unknown>; error?: { message: string } }

export const openTabs = async (port: number) => {
  const { webSocketDebuggerUrl } = (await (await fetch(`http://127.0.0.1:${port}/json/version`)).json()) as { webSocketDebuggerUrl: string }
  const socket = new WebSocket(webSocketDebuggerUrl)
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const waiting = new Map<number, (message: Message) => void>()
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) waiting.get(message.id)?.(message)
  })
  let calls = 0

  const send = async (method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> => {
    const id = ++calls
    const answer = new Promise<Message>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params, sessionId }))
    const { result, error } = await answer
    waiting.delete(id)
    if (error) throw new Error(`${method}: ${error.message}`)
    return result!
  }

  return {
    close: () => socket.close(),
    /** A new tab, in front. */
    open: async (url: string) => {
      const { targetId } = (await send('Target.createTarget', { url: 'about:blank' })) as { targetId: string }
      const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string }
      await send('Page.navigate', { url }, sessionId)
      return {
        bringToFront: () => send('Target.activateTarget', { targetId }),
        close: () => send('Target.closeTarget', { targetId }),
        evaluate: async <T>(expression: string): Promise<T> => {
          const { result } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId)
          return (result as { value: T }).value
        },
      }
    },
  }
}

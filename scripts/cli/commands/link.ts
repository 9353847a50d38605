import { withClient } from '../client.ts'
import type { Command } from '../command.ts'

const link: Command = {
  name: 'link',
  summary: 'prints a link that signs in to the page: good for one use within an hour',
  takes: [],
  options: {},
  run: (_args, world) =>
    withClient(world, async (client) => {
      const { url } = (await client.ask('POST', '/api/links')) as { url: string }
      world.out(url)
      return 0
    }),
}

export const commands: readonly Command[] = [link]

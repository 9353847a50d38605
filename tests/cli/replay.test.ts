import { describe, expect, it } from 'vitest'
import { type Handler, json } from '#shared/handler.ts'
import { aTerminal } from './terminal.ts'

/** `footfall replay` over manage-sites for real; what query-metrics answers is put here. */

const range = '--from 2026-06-01 --to 2026-06-03'
const started = async () => {
  const terminal = await aTerminal()
  const { code, out, err } = await terminal.run(`replay start --site a.example ${range} --rules channels,goals`)
  expect([code, out, err]).toEqual([0, expect.stringMatching(/^[0-9a-f]{12}$/), expect.stringContaining('is waiting: 0 of 3 days')])
  const [order] = await terminal.home.replays.list('a.example')
  return { ...terminal, id: out, order: order! }
}

describe('replay', () => {
  it('start orders, and prints the id alone', async () => {
    const { order, id, home, run } = await started()
    expect(order).toMatchObject({ id, from: 20260601, to: 20260603, rules: ['channels', 'goals'], wanted: 'made' })
    await home.replays.want('a.example', id, 'made', 'dropped')
    await run(`replay start --site a.example ${range}`)
    expect((await home.replays.list('a.example'))[0]!.rules).toEqual(['channels', 'exclusions', 'goals'])
  })

  it('list is a table, or JSON, and says what is waited for', async () => {
    const { run, home, order, id } = await started()
    await home.versions.putJob(0, order, { state: 'working', done: 2, of: 3, waitsFor: '2026-06-03 is not closed yet.' })
    const { out, err } = await run('replay list --site a.example')
    expect(out.split('\n')).toEqual([
      'id            from        to          rules           state    done         ordered',
      `${id}  2026-06-01  2026-06-03  channels,goals  working  2 of 3 days  2026-06-10`,
    ])
    expect(err).toBe(`${id}: 2026-06-03 is not closed yet.`)
    expect(JSON.parse((await run('replay list --site a.example --json')).out)).toMatchObject([{ id, done: { days: 2, of: 3 } }])
    expect((await run('replay list --site b.example')).err).toContain('There is no replay')
  })

  it('switch, undo and drop ask for what is wanted', async () => {
    const { run, home, order, id } = await started()
    await home.versions.putJob(0, order, { state: 'ready', done: 3, of: 3 })
    expect(await run(`replay switch ${id} --site a.example`)).toMatchObject({ code: 0, err: expect.stringContaining('is switching') })
    expect((await home.replays.find('a.example', id))!.wanted).toBe('switched')
    await home.versions.putJob(0, order, { state: 'switched', done: 3, of: 3 })
    expect(await run(`replay drop ${id} --site a.example`)).toMatchObject({ code: 1, err: expect.stringContaining('Undo it first') })
    expect(await run(`replay undo ${id} --site a.example`)).toMatchObject({ code: 0 })
    await home.versions.putJob(0, order, { state: 'undone', done: 3, of: 3 })
    expect(await run(`replay drop ${id} --site a.example`)).toMatchObject({ code: 0, err: expect.stringContaining('is dropped') })
    expect((await home.replays.find('a.example', id))!.wanted).toBe('dropped')
  })

  it('preview shows rows that change, with both numbers', async () => {
    const asked: Record<string, unknown>[] = []
    const answers: Handler = async ({ body }) => {
      const question = JSON.parse(body.toString())
      asked.push(question)
      const standing = [
        { dimensions: ['Direct'], metrics: [5, 9] },
        { dimensions: ['Unassigned'], metrics: [3, 4] },
      ]
      const made = [
        { dimensions: ['Direct'], metrics: [5, 9] },
        { dimensions: ['Unassigned'], metrics: [1, 1] },
        { dimensions: ['AI Assistant'], metrics: [2, 3] },
      ]
      return json(200, { results: question.include.replay ? made : standing, meta: {} })
    }
    const { run, home } = await aTerminal({ '/api/v2/query': answers })
    const id = (await run(`replay start --site a.example ${range}`)).out
    const { code, out } = await run(`replay preview ${id} --site a.example --dimension visit:channel --metrics visitors,visits`)
    expect([code, out.split('\n')]).toEqual([
      0,
      [
        'visit:channel  visitors  then  change  visits  then  change',
        'Unassigned            3     1      -2       4     1      -3',
        'AI Assistant          –     2      +2       –     3      +3',
      ],
    ])
    expect(asked).toMatchObject([
      {
        site_id: 'a.example',
        dimensions: ['visit:channel'],
        metrics: ['visitors', 'visits'],
        date_range: ['2026-06-01', '2026-06-03'],
        include: { replay: id },
      },
      { include: {} },
    ])
    expect(home).toBeTruthy()
  })

  it.each([
    ['replay start --site a.example', 2, '--from is missing', '--from 2026-11-01'],
    [`replay start ${range}`, 2, '--site is missing', '--site example.com'],
    [`replay start --site a.example ${range} --rules sources`, 1, '`rules[0]` is "sources"', '"channels"'],
    ['replay start --site a.example --from 2026-06-10 --to 2026-06-10', 1, '2026-06-10 is not over', 'before 2026-06-10'],
    ['replay switch --site a.example', 2, 'ID is missing', 'replay switch ID'],
    ['replay switch 0123 --site a.example', 1, 'no such replay', 'lists them'],
    ['replay list --site gone.example', 1, 'not registered', 'site add'],
  ])('%s fails with sentence and cure', async (argv, expected, sentence, cure) => {
    const { run } = await aTerminal()
    const { code, err } = await run(argv)
    expect([code, err]).toEqual([expected, expect.stringContaining(sentence)])
    expect(err).toContain(cure)
  })
})

import { describe, expect, it } from 'vitest'
import { fetchPage, problemOf, scriptTags } from '../../scripts/cli/installed.ts'
import { listenPlain } from './terminal.ts'

const page = new URL('https://www.example.com/docs/')
const base = new URL('https://stats.example.com')
const tag = '<script async src="https://stats.example.com/footfall.js" data-site="example.com"></script>'
const own = (src: string) => `<script src="${src}" data-site="example.com"></script>`

describe('the tracker in a page', () => {
  const table: [why: string, html: string, problem: string | undefined, cure: string][] = [
    ['as printed', `<head>${tag}</head>`, undefined, ''],
    [
      'in other quotes and order',
      `<SCRIPT data-site='WWW.example.com' defer src='https://stats.example.com/footfall.js?v=2'></SCRIPT>`,
      undefined,
      '',
    ],
    ['without quotes', '<script src=https://stats.example.com/footfall.js data-site=example.com></script>', undefined, ''],
    ['over two lines', tag.replace(' async', '\n  async\n '), undefined, ''],
    ['without a scheme', own('//stats.example.com/footfall.js'), undefined, ''],
    ['among others', `<script>let a = 1</script><script src="/app.js"></script>${tag}`, undefined, ''],
    ['not there', '<h1>footfall.js</h1>', 'no tracker script', 'site list --json'],
    ['in a comment', `<!-- ${tag} -->`, 'no tracker script', 'site list --json'],
    ['in a comment without end', `<!-- ${tag}`, 'no tracker script', 'site list --json'],
    ['after a comment', `<!-- old --> ${tag}`, undefined, ''],
    ['of another name', own('https://stats.example.com/notfootfall.js'), 'no tracker script', 'site list'],
    ['without a site', '<script src="https://stats.example.com/footfall.js"></script>', 'no data-site', 'data-site="example.com"'],
    [
      'for an unknown site',
      tag.replace('"example.com"', '"exampel.com"'),
      'counts for exampel.com, which is not registered',
      'site add exampel.com',
    ],
    ['from elsewhere', own('https://old.example.com/footfall.js'), 'comes from https://old.example.com', 'FOOTFALL_URL'],
    ['from the page itself', own('/footfall.js'), 'comes from https://www.example.com', 'FOOTFALL_URL'],
    ['by http', own('http://stats.example.com/footfall.js'), 'comes from http://stats.example.com', 'FOOTFALL_URL'],
  ]
  it.each(table)('%s', (_why, html, problem, cure) => {
    const found = problemOf(scriptTags(html, page), page, ['example.com'], base)
    expect(found?.problem ?? '').toContain(problem ?? '')
    expect(found === undefined).toBe(problem === undefined)
    expect(found?.cure ?? '').toContain(cure)
  })

  it('by http in a page by https is blocked by browsers', () => {
    const plain = new URL('http://stats.example.com')
    expect(problemOf(scriptTags(own('http://stats.example.com/footfall.js'), page), page, ['example.com'], plain)?.problem).toContain(
      'browsers block it',
    )
  })

  it('of a site nobody added says how to add it', () => {
    expect(problemOf([], page, ['other.example'], base)?.cure).toContain('site add example.com')
  })

  it('is looked for in any page at once', () => {
    const began = performance.now()
    for (const piece of ['<!--', '<script ', '<script src=', '<script>', '<script src="footfall.js" '])
      scriptTags(piece.repeat(200_000), page)
    // In linear time a fraction of a second, in quadratic time hours: whatever else the machine does, this tells them apart.
    expect(performance.now() - began).toBeLessThan(20_000)
  })
})

describe('a page', () => {
  it('is found where it sends on to', async () => {
    const port = await listenPlain((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/here' }).end()
      else response.end('found')
    })
    const { url, answer } = await fetchPage(new URL(`http://127.0.0.1:${port}/`))
    expect([url.pathname, answer.text]).toEqual(['/here', 'found'])
  })

  it.each([
    ['in circles', '/', 'redirects'],
    ['to a file', 'file:///etc/passwd', 'sends on to file:'],
  ])('is given up when it leads %s', async (_why, location, message) => {
    const port = await listenPlain((_request, response) => void response.writeHead(302, { location }).end())
    await expect(fetchPage(new URL(`http://127.0.0.1:${port}/`))).rejects.toThrow(message)
  })

  it('is given up when it has no end', async () => {
    const port = await listenPlain((_request, response) => {
      const more = () => response.write(Buffer.alloc(256 * 1024, 32), (error) => error ?? more())
      response.on('error', () => undefined)
      more()
    })
    await expect(fetchPage(new URL(`http://127.0.0.1:${port}/`))).rejects.toThrow('more than')
  })
})

import { answerQuery } from '#shared/query/answer.ts'
import { answerFunnel } from '#shared/query/explore/ask-funnel.ts'
import { answerPaths } from '#shared/query/explore/ask-paths.ts'
import { answerRetention } from '#shared/query/explore/ask-retention.ts'
import { answerWhy } from '#shared/query/explore/ask-why.ts'
import type { Answered, Asked } from '#shared/query/explore/asked.ts'
import { parseFunnel, parsePaths, parseRetention, parseWhy } from '#shared/query/explore/requests.ts'
import type { Settings } from '#shared/query/filters.ts'
import { parseQuery } from '#shared/query/schema.ts'

/** The questions that can be asked of a site, by path: what a body means, and how it is answered. */

export type Ask = (asked: Asked) => Promise<Answered>
/** From a body to a site with these settings to what answers it; a wrong body is refused before anything is read. */
export type Question = (body: unknown, settings: Settings) => Ask

const question =
  <T>(parse: (body: unknown, settings: Settings) => T, answer: (request: T, asked: Asked) => Promise<Answered>): Question =>
  (body, settings) => {
    const request = parse(body, settings)
    return (asked) => answer(request, asked)
  }

export const questions: ReadonlyMap<string, Question> = new Map([
  ['/api/v2/query', question(parseQuery, (query, asked) => answerQuery({ query, ...asked }))],
  ['/api/v2/funnel', question(parseFunnel, answerFunnel)],
  ['/api/v2/paths', question(parsePaths, answerPaths)],
  ['/api/v2/retention', question(parseRetention, answerRetention)],
  ['/api/v2/why', question(parseWhy, answerWhy)],
])

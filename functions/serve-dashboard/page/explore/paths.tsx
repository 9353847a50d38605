import { Definition } from '../parts/definition.tsx'
import { Cross } from '../parts/icons.tsx'
import { useAnswerOf } from '../state/answers.ts'
import { type Paths as Answer, nodeAt, type PathNode, pathsBody } from '../state/explorations.ts'
import { type Direction, mostLevels, rootKeys } from '../state/explore.ts'
import { written } from '../state/format.ts'
import { usePage } from '../state/page.ts'
import { Answered, type Option, Pick, share, useExplore, ValueField } from './controls.tsx'
import { pathMeanings } from './meanings.ts'

/** Paths: which pages or events follow one another, level by level; a row opens the level behind it. */
const directions: readonly Option[] = [
  ['next', 'What comes after'],
  ['previous', 'What came before'],
]
const kinds: readonly Option[] = [
  ['page', 'pages'],
  ['event', 'events'],
]

const Root = () => {
  const { explore, put } = useExplore()
  const { direction, root, by } = explore
  const usual = direction === 'next' ? 'the beginning of the visit' : 'the end of the visit'
  return (
    <>
      <div class="options">
        <Pick label="Show" value={direction} options={directions} onPick={(next) => put({ direction: next as 'next', trail: [] })} />
        {root ? (
          <span class="chip filter">
            <span class="chip-text">
              <span class="quiet">{root.key === 'page' ? 'Page' : 'Event'}</span> <bdi>{root.values[0]}</bdi>
            </span>
            <button
              type="button"
              class="chip-cross"
              aria-label={`Take ${usual} instead`}
              onClick={() => put({ root: undefined, trail: [] })}
            >
              <Cross />
            </button>
          </span>
        ) : (
          <span>{usual}</span>
        )}
        <Pick label="by" value={by} options={kinds} onPick={(next) => put({ by: next as 'page', trail: [] })} />
      </div>
      <ValueField
        keys={rootKeys}
        what={direction === 'next' ? 'Begin at' : 'End at'}
        action={direction === 'next' ? 'Begin here' : 'End here'}
        onPick={(next) => put({ root: next, trail: [] })}
      />
    </>
  )
}

type RowProps = { node: PathNode; of: number; most: number; isOpened: boolean; open: (() => void) | undefined }

const Row = ({ node, of, most, isOpened, open }: RowProps) => {
  const name = node.value === '' ? '(empty)' : (node.value ?? '')
  const { visits } = node
  return (
    <tr class={isOpened ? 'picked' : ''}>
      <th scope="row">
        <span class="bar" style={{ width: share(visits, most) }} />
        {open ? (
          <button type="button" class="name" title={name} aria-pressed={isOpened} onClick={open}>
            <bdi>{name}</bdi>
          </button>
        ) : (
          <span class="name mark">{node.other ? 'all others' : name}</span>
        )}
      </th>
      <td class="number">{written(visits, 'count')}</td>
      <td class="number">{written(of > 0 ? (visits / of) * 100 : null, 'percent')}</td>
    </tr>
  )
}

const LevelList = ({ of, at }: { of: PathNode; at: number }) => {
  const { explore, put } = useExplore()
  const { direction, trail } = explore
  const opened = trail[at]
  const children = of.children ?? []
  const ends = of.exits ?? of.entries ?? 0
  const most = Math.max(ends, ...children.map(({ visits }) => visits))
  const open = (value: string) => put({ trail: value === opened ? trail.slice(0, at) : [...trail.slice(0, at), value] })
  const isLast = at + 1 >= mostLevels
  return (
    <table class="rows">
      <caption class="spoken">{`Step ${at + 1}`}</caption>
      <colgroup>
        <col />
        <col class="visits" />
        <col class="visits" />
      </colgroup>
      <thead class="spoken">
        <tr>
          <th scope="col">{explore.by === 'page' ? 'Page' : 'Event'}</th>
          <th scope="col">Visits</th>
          <th scope="col">Share</th>
        </tr>
      </thead>
      <tbody>
        {children.map((node) => (
          <Row
            key={`${node.other} ${node.value}`}
            node={node}
            of={of.visits}
            most={most}
            isOpened={!node.other && node.value === opened}
            open={node.other || isLast ? undefined : () => open(node.value ?? '')}
          />
        ))}
        {ends > 0 && <Row node={endOf(direction, ends)} of={of.visits} most={most} isOpened={false} open={undefined} />}
      </tbody>
    </table>
  )
}

const endOf = (direction: Direction, visits: number): PathNode => ({
  value: direction === 'next' ? 'the visit ends' : 'the visit begins',
  visits,
  share: null,
})

/** One level: what lies behind the rows that are opened before it. Each is a question of its own, so that none takes the others' room. */
const Level = ({ at }: { at: number }) => {
  const { view, today, site } = usePage()
  const { direction, root, trail } = view.explore
  const asked = useAnswerOf<Answer>('paths', pathsBody(view, today, at, site.identity))
  const behind = trail.slice(0, at)
  const where = at > 0 ? behind.at(-1)! : (root?.values[0] ?? (direction === 'next' ? 'the beginning' : 'the end'))
  return (
    <section class="level" aria-label={`Step ${at + 1}`}>
      <h3>
        <span class="quiet">{direction === 'next' ? 'After' : 'Before'}</span> <bdi title={where}>{where === '' ? '(empty)' : where}</bdi>
      </h3>
      <Answered kind="paths" asked={asked} empty="No visit went this way." isEmpty={(answer) => !nodeAt(answer.tree, behind)?.visits}>
        {(answer) => <LevelList of={nodeAt(answer.tree, behind)!} at={at} />}
      </Answered>
    </section>
  )
}

export const Paths = () => {
  const { direction, by, root, trail } = useExplore().explore
  const { visits, share: ofBefore } = pathMeanings(direction)
  const way = [direction, by, root?.key, root?.values[0]]
  return (
    <>
      <Root />
      <p class="quiet">
        Numbers are visits <Definition metric={visits} /> and their share <Definition metric={ofBefore} /> of those at the step before. A
        row opens the step behind it.
      </p>
      <div class="levels">
        {/* Rows of another tree are no old answer of this one. */}
        {Array.from({ length: trail.length + 1 }, (_, at) => (
          <Level key={JSON.stringify([...way, ...trail.slice(0, at)])} at={at} />
        ))}
      </div>
    </>
  )
}

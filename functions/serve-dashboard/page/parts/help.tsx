import { offered } from '../state/periods.ts'
import { Dialog } from './dialog.tsx'
import { otherKeys } from './keys.ts'

/** All keys, and how filters are written. */
const Keys = ({ title, keys }: { title: string; keys: readonly { keys: string; does: string }[] }) => (
  <section>
    <h3>{title}</h3>
    <dl class="keys">
      {keys.map(({ keys: text, does }) => (
        <div key={text}>
          <dt>
            {text.split(' ').map((key) => (
              <kbd key={key}>{key}</kbd>
            ))}
          </dt>
          <dd>{does}</dd>
        </div>
      ))}
    </dl>
  </section>
)

const examples: readonly [string, string][] = [
  ['page:/docs', 'the page is /docs'],
  ['country:DE|FR', 'Germany or France'],
  ['!source:google', 'the source is not google'],
  ['page~blog', 'the page contains blog'],
  ['prop.plan:"very large"', 'a property; quotes where there are spaces'],
]

export const Help = ({ onClose }: { onClose(): void }) => {
  const periods = offered.filter(({ key }) => key !== '').map(({ key, label }) => ({ keys: key.toUpperCase(), does: label }))
  return (
    <Dialog title="Keys and filters" class="help" onClose={onClose}>
      <div class="help-columns">
        <Keys title="Periods" keys={periods} />
        <div>
          <Keys title="The page" keys={otherKeys} />
          <section>
            <h3>Filters</h3>
            <dl class="examples">
              {examples.map(([text, means]) => (
                <div key={text}>
                  <dt>
                    <code>{text}</code>
                  </dt>
                  <dd>{means}</dd>
                </div>
              ))}
            </dl>
          </section>
        </div>
      </div>
    </Dialog>
  )
}

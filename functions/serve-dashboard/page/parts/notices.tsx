import { useEffect, useState } from 'preact/hooks'
import { Cross } from './icons.tsx'

/** What of the address could not be used; it can be put away. */
export const Notices = ({ problems }: { problems: readonly string[] }) => {
  const [isAway, setAway] = useState(false)
  // Others than those that were put away are told again.
  const told = problems.join('\n')
  useEffect(() => setAway(false), [told])
  if (problems.length === 0 || isAway) return null
  return (
    <div class="notice-box" role="alert">
      <ul>
        {problems.map((problem) => (
          <li key={problem}>
            <bdi>{problem}</bdi>
          </li>
        ))}
      </ul>
      <button type="button" class="plain-icon" aria-label="Put this notice away" onClick={() => setAway(true)}>
        <Cross />
      </button>
    </div>
  )
}

import type { Meta } from '../state/api.ts'

/** What an answer says about itself, such as that visitors of a site without cookies are known for a day only. */
export const Warnings = ({ meta }: { meta: Meta | undefined }) => (
  <>
    {Object.values(meta?.metric_warnings ?? {}).map(({ code, warning }) => (
      <p key={code} class="note quiet">
        {warning}
      </p>
    ))}
  </>
)

/** A key of the keyboard, for eyes: what is read aloud is told by aria-keyshortcuts. */
export const Cap = ({ children }: { children: string }) => (
  <span aria-hidden="true">
    <kbd>{children}</kbd>
  </span>
)

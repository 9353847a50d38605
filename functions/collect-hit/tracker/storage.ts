import { quiet } from './quiet.ts'

/**
 * localStorage, or where it is blocked an object that is gone with the page. Each hit has an entry of its own: two tabs never write the
 * same one, so neither can undo what the other has just written (there is no lock over a read and a write).
 */
export const storage: { [key: string]: string } = quiet(() => localStorage)() || {}

/** Fails in silence where the storage is full. */
export const put = quiet((key: string, text: string) => {
  storage[key] = text
})

/** The names of all entries that begin so, in order. */
export const keysWith = (prefix: string): string[] =>
  Object.keys(storage)
    .filter((key) => key.startsWith(prefix))
    .sort()

export const remove = (key: string): void => {
  delete storage[key]
}

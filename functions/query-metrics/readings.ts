/**
 * Questions that are asked at the same time share a reading: a question may stand on any reading that was begun after it was asked, since all
 * that was counted by then is in it. So many who ask the same site while it grows wait for two readings at most, the one that was begun too
 * early and the next, and not for as many as there are questions before theirs.
 */

/** Answers what the question stands on; asked again (the rows were moved), another one than before. */
export type Stand<T> = (begin: () => Promise<T>) => Promise<T>

/** Works on a question about `name`, which was asked just now. */
export type Readings<T> = <R>(name: string, work: (stand: Stand<T>) => Promise<R>) => Promise<R>

/** `begun`: the moment at which the newest reading was begun. It is kept as long as somebody asks. */
type Held<T> = { asking: number; begun: number; newest: Promise<T> | undefined }

export const createReadings = <T>(): Readings<T> => {
  const held = new Map<string, Held<T>>()
  /** Counts what happens, so that of two things it is known which came first. */
  let moment = 0

  const standing = (about: Held<T>): Stand<T> => {
    let asked = ++moment
    return (begin) => {
      if (about.newest === undefined || about.begun < asked) {
        about.begun = ++moment
        about.newest = begin()
      }
      // Whoever asks again has found that the rows were moved under what was begun until now.
      asked = ++moment
      return about.newest
    }
  }

  return async (name, work) => {
    const about = held.get(name) ?? { asking: 0, begun: 0, newest: undefined }
    held.set(name, about)
    about.asking++
    try {
      return await work(standing(about))
    } finally {
      about.asking--
      if (about.asking === 0) held.delete(name)
    }
  }
}

/** The tracker. */
export {}

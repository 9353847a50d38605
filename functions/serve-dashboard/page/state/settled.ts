/** The server holds the settings of a site for half a second: what is asked sooner after a change may be answered as before it. */
export const settledMs = 700

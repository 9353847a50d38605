/**
 * The name under which rollup keeps in `progress` how far its state has been, every now and then: the fence that stood. State that is behind
 * that mark was lost, or set back, and is being folded again; an answer of it would be smaller than one before.
 */
export const reachedMark = 'rollup-window reached'

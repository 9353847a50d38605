/** Panels: what the numbers are made of. */
export const Panels = () => <div class="panels" />

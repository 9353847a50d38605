/** Steps of the map's scale: by the square root, or one large country would leave the others pale alike. */
const steps = 5

/** The step of a value, 1 to 5; 0 for nothing. */
export const stepOf = (value: number, most: number): number =>
  value <= 0 || most <= 0 ? 0 : Math.max(1, Math.ceil(Math.sqrt(value / most) * steps))

// What is measured of a disc and a cup, and why someone should look at them.

import { area, touchesEdge } from "./masks.js";

export const NO_DISC = "no disc";
export const NO_CUP = "no cup";
export const AT_EDGE = "cut off by the edge";
export const AGREEMENT = "views disagree";
export const SHAPE = "not the shape of a disc";

/** The largest column sum, pixels: REFUGE's vertical diameter. */
export function verticalDiameter({ width, height, data }) {
  const sums = new Int32Array(width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) sums[x] += data[y * width + x];
  }
  return sums.reduce((largest, x) => Math.max(largest, x), 0);
}

/** The vertical cup-to-disc ratio; NaN without a disc, and without a cup, which may have been missed. */
export function verticalRatio(disc, cup) {
  const [diameter, inner] = [verticalDiameter(disc), verticalDiameter(cup)];
  return diameter && inner ? inner / diameter : NaN;
}

/**
 * The ratio, its interval and the flags of a prediction, as FundusPredictor gives them.
 *
 * @param size {width, height} of the photograph.
 * @param sure {agreement, ellipse}, each 0 to 1, or NaN.
 * @param settings the model's.
 */
export function measure(disc, cup, size, { agreement, ellipse }, settings) {
  const vcdr = verticalRatio(disc, cup);
  const atEdge = touchesEdge(disc, size);
  const margin = atEdge ? NaN : settings.vcdr_margin || NaN;
  const flags = [];
  if (!area(disc)) flags.push(NO_DISC);
  else if (!area(cup)) flags.push(NO_CUP);
  if (atEdge) flags.push(AT_EDGE);
  if (agreement < settings.flag_below) flags.push(AGREEMENT);
  if (ellipse < settings.flag_ellipse_below) flags.push(SHAPE);
  const between = (x) => Math.min(Math.max(x, 0), 1);
  return { vcdr, interval: [between(vcdr - margin), between(vcdr + margin)], flags };
}

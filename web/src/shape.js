// A disc and a cup of the shape they have in every eye, as `measures/shape.py` makes them.

import { area, both, bounds, emptyMask, touchesEdge, widened, within } from "./masks.js";
import { convex, largestFilled, smoothed } from "./regions.js";

const MARGIN = 8; // pixels
const SMOOTHING = 0.02; // standard deviation of a Gaussian, in diameters of the disc

/** The largest region of each mask, its holes filled and its outline smoothed; the disc convex, the cup within it. */
export function regularDiscAndCup(disc, cup, size) {
  const box = bounds(disc);
  if (!box) return { disc: emptyMask(), cup: emptyMask() };
  const window = widened(box, MARGIN, MARGIN, size);
  const { width, height } = window;
  const sigma = Math.max(SMOOTHING * Math.sqrt((4 / Math.PI) * area(disc)), 0.1);
  const regular = (data) => {
    const smooth = smoothed(largestFilled(data, width, height), width, height, sigma);
    return largestFilled(smooth, width, height); // a narrow bridge is gone now
  };
  const inside = { ...window, data: convex(regular(within(disc, window).data), width, height) };
  const hollow = both({ ...window, data: regular(both(within(cup, window), inside).data) }, inside);
  return { disc: inside, cup: { ...hollow, data: largestFilled(hollow.data, width, height) } };
}

/** Both outlines drawn towards the ellipses of their moments; the cup stays within the disc. */
export function towardsEllipses(disc, cup, weight, size) {
  const drawn = towardsEllipse(disc, weight, size);
  return { disc: drawn, cup: both(towardsEllipse(cup, weight, size), drawn) };
}

/** The IoU of a mask with the ellipse of its first and second moments; NaN of an empty one. */
export function ellipseIou(mask) {
  const box = bounds(mask);
  if (!box) return NaN;
  const [across, down] = [(box.width >> 1) + 1, (box.height >> 1) + 1]; // the ellipse may reach beyond the mask
  const window = {
    left: box.left - across, top: box.top - down, width: box.width + 2 * across, height: box.height + 2 * down,
  };
  const inside = within(mask, window).data;
  const ellipse = ellipseOf(inside, window.width, window.height);
  let [common, any] = [0, 0];
  for (let i = 0; i < inside.length; i++) {
    common += inside[i] & ellipse[i];
    any += inside[i] | ellipse[i];
  }
  return common / any;
}

function towardsEllipse(mask, weight, size) {
  const box = bounds(mask);
  if (!box || touchesEdge(mask, size)) return mask; // the moments of a part are not those of the whole
  const window = widened(box, Math.ceil(0.25 * box.width), Math.ceil(0.25 * box.height), size);
  const { width, height } = window;
  const inside = within(mask, window).data;
  const own = signedDistance(inside, width, height);
  const round = signedDistance(ellipseOf(inside, width, height), width, height);
  return { ...window, data: inside.map((_, i) => ((1 - weight) * own[i] + weight * round[i] > 0 ? 1 : 0)) };
}

/** The ellipse of a mask's first and second moments; of squares, not of points: 1 / 12 is a pixel's own second moment. */
function ellipseOf(data, width, height) {
  let [count, sumX, sumY, sumXX, sumXY, sumYY] = [0, 0, 0, 0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!data[y * width + x]) continue;
      count++;
      sumX += x;
      sumY += y;
      sumXX += x * x;
      sumXY += x * y;
      sumYY += y * y;
    }
  }
  const [middleX, middleY] = [sumX / count, sumY / count];
  const xx = sumXX / count - middleX * middleX + 1 / 12;
  const xy = sumXY / count - middleX * middleY;
  const yy = sumYY / count - middleY * middleY + 1 / 12;
  const limit = 4 * (xx * yy - xy * xy);
  const result = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const y = row - middleY;
    for (let column = 0; column < width; column++) {
      const x = column - middleX;
      result[row * width + column] = yy * x * x - 2 * xy * x * y + xx * y * y <= limit ? 1 : 0;
    }
  }
  return result;
}

/** Pixels from the outline: above 0 within the mask, below outside. */
function signedDistance(data, width, height) {
  const inside = distance(data, width, height);
  const outside = distance(data.map((x) => 1 - x), width, height);
  return inside.map((x, i) => x - outside[i]);
}

// Borgefors' chamfer distance in a neighbourhood of 5 x 5, whose steps cost this much: OpenCV's.
const [STRAIGHT, DIAGONAL, KNIGHT] = [1, 1.4, 2.1969];

/** Of each pixel to the nearest 0, nearly Euclidean; Float32Array of width x height. */
function distance(data, width, height) {
  const wide = width + 4;
  const found = new Float32Array(wide * (height + 4)).fill(1e6);
  const before = [
    [-2 * wide - 1, KNIGHT], [-2 * wide + 1, KNIGHT], [-wide - 2, KNIGHT], [-wide - 1, DIAGONAL],
    [-wide, STRAIGHT], [-wide + 1, DIAGONAL], [-wide + 2, KNIGHT], [-1, STRAIGHT],
  ];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const place = (y + 2) * wide + x + 2;
      if (!data[y * width + x]) found[place] = 0;
      else for (const [step, cost] of before) found[place] = Math.min(found[place], found[place + step] + cost);
    }
  }
  const result = new Float32Array(width * height);
  for (let y = height - 1; y >= 0; y--) {
    for (let x = width - 1; x >= 0; x--) {
      const place = (y + 2) * wide + x + 2;
      for (const [step, cost] of before) found[place] = Math.min(found[place], found[place - step] + cost);
      result[y * width + x] = found[place];
    }
  }
  return result;
}

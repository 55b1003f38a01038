// The looks at a photograph: at all of it, then at a square about the disc, as `prediction/looks.py` has them.

import { cropped, towards } from "./crop.js";
import { resize, resizedSize } from "./resize.js";

/**
 * Detect the disc in a photograph, then again nearer; the masks are those of the last look.
 *
 * @param look runs the graph on a picture {width, height, data} of three planes; gives {box, score, masks, side,
 *   agreement}, or null where nothing is seen. `masks` holds the disc's grid, then the cup's; `agreement` is NaN where
 *   the graph looks once.
 * @param photograph {width, height, data}, RGBA.
 * @param settings the model's.
 * @returns the same in the photograph's pixels, or null.
 */
export async function predictInViews(look, photograph, settings) {
  const image = resize(photograph, resizedSize(photograph, settings.photograph_sides));
  let seen = await look(image);
  if (!seen && settings.crop) seen = await lookAtHalfSize(look, image);
  if (!seen) return null;
  const factors = [photograph.width / image.width, photograph.height / image.height];
  const first = { ...seen, box: seen.box.map((x, i) => x * factors[i % 2]) };
  if (!settings.crop) return first;

  const map = towards(first.box, settings);
  const nearer = await look(cropped(photograph, map));
  if (!nearer) return { ...first, agreement: 0 };
  const shift = [map.left, map.top];
  const second = { ...nearer, box: nearer.box.map((x, i) => (x - shift[i % 2]) / map.scale) };
  if (!samePlace(first.box, second.box)) return { ...first, agreement: 0 };
  const single = Number.isNaN(second.agreement);
  return single ? { ...second, agreement: agreementOfPasses(first, second) } : second;
}

/** Whether either box holds the other's middle. */
export function samePlace(...boxes) {
  const middles = boxes.map((x) => [(x[0] + x[2]) / 2, (x[1] + x[3]) / 2]);
  return boxes.some((box) => middles.every(([x, y]) => x > box[0] && x < box[2] && y > box[1] && y < box[3]));
}

/** A disc that fills the picture is larger than any a detector has learned: the same at half the size, within black. */
async function lookAtHalfSize(look, image) {
  const { width, height } = image;
  const size = { width: Math.max(1, Math.floor(width / 2)), height: Math.max(1, Math.floor(height / 2)) };
  const half = resize(image, size);
  const [left, top] = [Math.floor((width - size.width) / 2), Math.floor((height - size.height) / 2)];
  const data = new Uint8Array(3 * width * height);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < size.height; y++) {
      const from = (channel * size.height + y) * size.width;
      data.set(half.data.subarray(from, from + size.width), (channel * height + top + y) * width + left);
    }
  }
  const seen = await look({ width, height, data, planar: true });
  if (!seen) return null;
  const [shift, factors] = [[left, top], [width / size.width, height / size.height]];
  return { ...seen, box: seen.box.map((x, i) => (x - shift[i % 2]) * factors[i % 2]) };
}

/** The Dice of the looks' masks, the lower of disc and cup, on the second's grid; boxes in the photograph's pixels. */
export function agreementOfPasses(first, second) {
  const [side, firstSide] = [second.side, first.side];
  const extent = [0, 1].map((i) => second.box[i + 2] - second.box[i]);
  const firstExtent = [0, 1].map((i) => first.box[i + 2] - first.box[i]);
  const cells = (firstExtent[0] * firstExtent[1]) / (extent[0] * extent[1]); // of the second's grid, of one of the first's
  const places = [0, 1].map((i) =>
    Array.from({ length: side }, (_, k) => {
      const at = second.box[i] + ((k + 0.5) / side) * extent[i];
      return ((at - first.box[i]) / firstExtent[i]) * firstSide - 0.5;
    }),
  );
  const dice = [0, 1].map((structure) => {
    const before = first.masks.subarray(structure * firstSide ** 2, (structure + 1) * firstSide ** 2);
    const after = second.masks.subarray(structure * side ** 2, (structure + 1) * side ** 2);
    const whole = before.reduce((sum, x) => sum + (x > 0.5 ? 1 : 0), 0) * cells;
    let [seen, there, common] = [0, 0, 0];
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const then = sample(before, firstSide, places[0][x], places[1][y]) > 0.5;
        const now = after[y * side + x] > 0.5;
        seen += then ? 1 : 0;
        there += now ? 1 : 0;
        common += then && now ? 1 : 0;
      }
    }
    const areas = Math.max(whole, seen) + there;
    return areas > 0 ? (2 * common) / Math.max(areas, 1) : 1;
  });
  return Math.min(...dice);
}

/** Bilinear; 0 beyond the grid. */
function sample(grid, side, x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const at = (row, column) => (row < 0 || row >= side || column < 0 || column >= side ? 0 : grid[row * side + column]);
  const [right, down] = [x - left, y - top];
  const upper = at(top, left) * (1 - right) + at(top, left + 1) * right;
  const lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right;
  return upper * (1 - down) + lower * down;
}

// The second look's picture: a square about the disc, scaled as `photographs/resampling.py` scales it.

import { blockMeans } from "./blocks.js";

/**
 * The map from the photograph's pixels to those of a square in which the disc fills `crop` of the side.
 *
 * @param {number[]} box x1, y1, x2, y2 in the photograph's pixels, about `boxScale` times the disc.
 * @returns {{scale: number, left: number, top: number, side: number}} a point goes to scale * x + left, scale * y + top.
 */
export function towards(box, { crop, crop_side: side, box_scale: boxScale }) {
  const extent = Math.max(box[2] - box[0], box[3] - box[1], 1) / boxScale;
  const scale = (crop * side) / extent;
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
  return { scale, left: side / 2 - scale * x, top: side / 2 - scale * y, side };
}

/**
 * That square of a photograph; beyond the photograph it is black.
 *
 * @param photograph {width, height, data}, RGBA.
 * @param map what `towards` gave.
 * @returns {{width: number, height: number, data: Uint8Array, planar: true}} three planes: red, green, blue.
 */
export function cropped(photograph, map) {
  // Each pixel of a much smaller picture is the mean of what it covers, not one point of it.
  const shrink = Math.max(1, Math.trunc(1 / Math.max(map.scale, 1e-3)));
  const x = places(map.scale, map.left, map.side, shrink, Math.ceil(photograph.width / shrink));
  const y = places(map.scale, map.top, map.side, shrink, Math.ceil(photograph.height / shrink));
  const small = shrink < 2 ? windowOf(photograph, x, y) : blockMeans(photograph, shrink, x, y);
  const columns = x.end - x.start;
  const result = new Uint8Array(3 * map.side * map.side);
  for (let channel = 0; channel < 3; channel++) {
    const at = (row, column) =>
      row < y.start || row >= y.end || column < x.start || column >= x.end
        ? 0
        : small[3 * ((row - y.start) * columns + column - x.start) + channel];
    for (let i = 0; i < map.side; i++) {
      const row = Math.floor(y.at[i]);
      const down = y.at[i] - row;
      for (let j = 0; j < map.side; j++) {
        const column = Math.floor(x.at[j]);
        const right = x.at[j] - column;
        const upper = at(row, column) * (1 - right) + at(row, column + 1) * right;
        const lower = at(row + 1, column) * (1 - right) + at(row + 1, column + 1) * right;
        result[(channel * map.side + i) * map.side + j] = Math.round(upper * (1 - down) + lower * down);
      }
    }
  }
  return { width: map.side, height: map.side, data: result, planar: true };
}

/** Where the square's pixels lie along one side of a picture made smaller by `zoom`, and which pixels that needs. */
function places(scale, shift, side, zoom, length) {
  const at = Float64Array.from({ length: side }, (_, i) => (i + 0.5 - shift) / (scale * zoom) - 0.5);
  const start = Math.min(Math.max(Math.floor(at[0]), 0), length);
  return { at, start, end: Math.max(start, Math.min(Math.floor(at[side - 1]) + 2, length)) };
}

function windowOf({ width, data }, x, y) {
  const result = new Uint8Array(3 * Math.max(0, (x.end - x.start) * (y.end - y.start)));
  let place = 0;
  for (let row = y.start; row < y.end; row++) {
    for (let column = x.start; column < x.end; column++) {
      const from = 4 * (row * width + column);
      for (let channel = 0; channel < 3; channel++) result[place++] = data[from + channel];
    }
  }
  return result;
}

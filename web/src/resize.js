// The first look's picture: antialiased bilinear resizing, as Pillow and PyTorch do it, to the last bit or nearly so.

import { blockMeans } from "./blocks.js";

const GAP = 3; // times the wanted size: how far blocks of pixels are averaged before the filter

/**
 * The size a photograph is resized to, as Detectron2's ResizeShortestEdge has it.
 *
 * @param {{width: number, height: number}} size of the photograph, pixels.
 * @param {[number, number]} sides the shorter one, and the longest that the longer one may be.
 */
export function resizedSize({ width, height }, [shortest, longest]) {
  let scale = shortest / Math.min(width, height);
  let [w, h] = width <= height ? [shortest, scale * height] : [scale * width, shortest];
  if (Math.max(w, h) > longest) {
    scale = longest / Math.max(w, h);
    [w, h] = [w * scale, h * scale];
  }
  return { width: Math.floor(w + 0.5), height: Math.floor(h + 0.5) };
}

/**
 * Resize a picture of 8 bits a channel; each new pixel is a weighted mean of what it covers.
 *
 * @param source {width, height, data}; `data` holds RGBA pixels, or with `planar` three planes.
 * @param size {width, height} of the result.
 * @returns {{width: number, height: number, data: Uint8Array, planar: true}} three planes: red, green, blue.
 */
export function resize(source, size) {
  const shrink = Math.floor(Math.min(source.height / (GAP * size.height), source.width / (GAP * size.width)));
  const reduced = shrink >= 2 && !source.planar;
  const { width, height, data, planar } = reduced ? inBlocks(source, shrink) : source;
  const [step, plane] = planar ? [1, width * height] : [reduced ? 3 : 4, 1];
  // The last block may be a part of one.
  const across = filterOf(width, size.width, reduced ? source.width / shrink : width);
  const down = filterOf(height, size.height, reduced ? source.height / shrink : height);
  const narrow = new Uint8Array(size.width * height);
  const result = new Uint8Array(3 * size.width * size.height);
  const sums = new Int32Array(size.width);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < height; y++) {
      const row = y * width * step + channel * plane;
      for (let x = 0; x < size.width; x++) {
        let sum = across.half;
        let place = row + across.first[x] * step;
        for (let i = across.start[x]; i < across.start[x + 1]; i++, place += step) sum += across.weights[i] * data[place];
        narrow[y * size.width + x] = clamped(sum >> across.bits);
      }
    }
    for (let y = 0; y < size.height; y++) {
      sums.fill(down.half);
      for (let i = down.start[y], row = down.first[y]; i < down.start[y + 1]; i++, row++) {
        const weight = down.weights[i];
        for (let x = 0, place = row * size.width; x < size.width; x++, place++) sums[x] += weight * narrow[place];
      }
      const place = (channel * size.height + y) * size.width;
      for (let x = 0; x < size.width; x++) result[place + x] = clamped(sums[x] >> down.bits);
    }
  }
  return { ...size, data: result, planar: true };
}

function inBlocks(source, side) {
  const [width, height] = [Math.ceil(source.width / side), Math.ceil(source.height / side)];
  return { width, height, data: blockMeans(source, side, { start: 0, end: width }, { start: 0, end: height }) };
}

/**
 * The triangle filter of every new pixel along one side, in whole numbers, `bits` of them behind the point.
 *
 * @param {number} extent how much of the `from` pixels the side is.
 */
function filterOf(from, to, extent) {
  const scale = extent / to;
  const reach = Math.max(scale, 1);
  const first = new Int32Array(to);
  const start = new Int32Array(to + 1);
  const exact = [];
  let largest = 0;
  for (let i = 0; i < to; i++) {
    const middle = scale * (i + 0.5);
    first[i] = Math.max(Math.trunc(middle - reach + 0.5), 0);
    const end = Math.min(Math.trunc(middle + reach + 0.5), from);
    const weights = [];
    for (let j = first[i]; j < end; j++) weights.push(Math.max(0, 1 - Math.abs((j - middle + 0.5) / reach)));
    const total = weights.reduce((sum, x) => sum + x, 0);
    for (const weight of weights) {
      exact.push(weight / total);
      largest = Math.max(largest, weight / total);
    }
    start[i + 1] = exact.length;
  }
  // As many bits as keep every weight within 16.
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 1 << 15) bits++;
  const weights = Int32Array.from(exact, (x) => Math.trunc(x * 2 ** bits + 0.5));
  return { first, start, weights, bits, half: 1 << (bits - 1) };
}

function clamped(value) {
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

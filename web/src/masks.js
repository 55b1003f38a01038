// Masks: a window of a photograph, {left, top, width, height, data}, 1 inside; beyond the window all is outside.

/** A mask with nothing in it. */
export function emptyMask() {
  return { left: 0, top: 0, width: 0, height: 0, data: new Uint8Array(0) };
}

/** How many pixels are inside. */
export function area(mask) {
  let count = 0;
  for (const value of mask.data) count += value;
  return count;
}

/** The bounding box of what is inside, {left, top, width, height} in the photograph's pixels; null of an empty mask. */
export function bounds(mask) {
  let [left, top, right, bottom] = [mask.width, -1, -1, -1];
  for (let y = 0; y < mask.height; y++) {
    const row = mask.data.subarray(y * mask.width, (y + 1) * mask.width);
    const first = row.indexOf(1);
    if (first < 0) continue;
    if (top < 0) top = y;
    bottom = y;
    left = Math.min(left, first);
    right = Math.max(right, row.lastIndexOf(1));
  }
  if (top < 0) return null;
  return { left: mask.left + left, top: mask.top + top, width: right - left + 1, height: bottom - top + 1 };
}

/** A window wider and higher by these many pixels on each side, but within a photograph of this size. */
export function widened(window, across, down, size) {
  const [left, top] = [Math.max(0, window.left - across), Math.max(0, window.top - down)];
  const right = Math.min(size.width, window.left + window.width + across);
  const bottom = Math.min(size.height, window.top + window.height + down);
  return { left, top, width: right - left, height: bottom - top };
}

/** The same mask in another window. */
export function within(mask, window) {
  const data = new Uint8Array(window.width * window.height);
  const left = Math.max(mask.left, window.left);
  const right = Math.min(mask.left + mask.width, window.left + window.width);
  const bottom = Math.min(mask.top + mask.height, window.top + window.height);
  for (let y = Math.max(mask.top, window.top); y < bottom && left < right; y++) {
    const from = (y - mask.top) * mask.width - mask.left;
    data.set(mask.data.subarray(from + left, from + right), (y - window.top) * window.width + left - window.left);
  }
  return { left: window.left, top: window.top, width: window.width, height: window.height, data };
}

/** What is inside both. */
export function both(mask, other) {
  const there = within(other, mask);
  return { ...mask, data: mask.data.map((value, i) => value & there.data[i]) };
}

/** Whether it reaches the edge of a photograph of this size. */
export function touchesEdge(mask, size) {
  const box = bounds(mask);
  if (!box) return false;
  return (
    box.left === 0 || box.top === 0 || box.left + box.width === size.width || box.top + box.height === size.height
  );
}

/**
 * Paste probabilities on a square grid over a box into the photograph, as Detectron2 does: bilinear, cut at one half.
 *
 * @param {Float32Array} grid (side, side), the first cell's middle half a cell within the box.
 * @param {number[]} box x1, y1, x2, y2 in the photograph's pixels; it may reach beyond the photograph.
 */
export function paste(grid, side, box, size, threshold) {
  const left = Math.max(Math.floor(box[0]) - 1, 0);
  const top = Math.max(Math.floor(box[1]) - 1, 0);
  const width = Math.max(Math.min(Math.ceil(box[2]) + 1, size.width) - left, 0);
  const height = Math.max(Math.min(Math.ceil(box[3]) + 1, size.height) - top, 0);
  const data = new Uint8Array(width * height);
  const columns = samples(left, width, box[0], box[2], side);
  const rows = samples(top, height, box[1], box[3], side);
  for (let y = 0; y < height; y++) {
    const row = rows[y];
    for (let x = 0; x < width; x++) {
      const column = columns[x];
      let value = 0;
      for (let i = 0; i < 2; i++) {
        for (let j = 0; j < 2; j++) {
          value += row.weights[i] * column.weights[j] * grid[row.cells[i] * side + column.cells[j]];
        }
      }
      data[y * width + x] = value >= threshold ? 1 : 0;
    }
  }
  return { left, top, width, height, data };
}

/** For each of some pixels the two cells that it lies between, and their weights; 0 for a cell beyond the grid. */
function samples(first, count, low, high, side) {
  return Array.from({ length: count }, (_, i) => {
    const at = ((first + i + 0.5 - low) / (high - low)) * side - 0.5;
    const cell = Math.floor(at);
    const weights = [1 - (at - cell), at - cell].map((x, k) => (cell + k >= 0 && cell + k < side ? x : 0));
    return { cells: [cell, cell + 1].map((x) => Math.min(Math.max(x, 0), side - 1)), weights };
  });
}

// Regions of a mask: the largest, its holes filled; its convex hull; its outline smoothed.

/** The largest region (diagonal neighbours belong together) with its holes filled; Uint8Array of width x height. */
export function largestFilled(data, width, height) {
  const [wide, high] = [width + 2, height + 2];
  // 0 not seen yet, 1 the outside, then the regions' numbers.
  const labels = new Int32Array(wide * high);
  const inside = new Uint8Array(wide * high);
  for (let y = 0; y < height; y++) inside.set(data.subarray(y * width, (y + 1) * width), (y + 1) * wide + 1);
  const stack = new Int32Array(wide * high);
  flood(labels, stack, 0, 1, (place) => !inside[place], wide, [1, -1, wide, -wide]);
  const around = [1, -1, wide, -wide, wide + 1, wide - 1, 1 - wide, -1 - wide];
  let [count, best, largest] = [1, 0, 0];
  for (let place = 0; place < labels.length; place++) {
    if (labels[place]) continue;
    const size = flood(labels, stack, place, ++count, () => true, wide, around);
    if (size > largest) [largest, best] = [size, count];
  }
  const result = new Uint8Array(width * height);
  if (!best) return result;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) result[y * width + x] = labels[(y + 1) * wide + x + 1] === best ? 1 : 0;
  }
  return result;
}

function flood(labels, stack, start, label, open, wide, steps) {
  let [depth, size] = [1, 1];
  labels[start] = label;
  stack[0] = start;
  while (depth) {
    const place = stack[--depth];
    const column = place % wide;
    for (const step of steps) {
      const next = place + step;
      if (next < 0 || next >= labels.length || labels[next] || !open(next)) continue;
      if (Math.abs((next % wide) - column) > 1) continue; // around the border
      labels[next] = label;
      stack[depth++] = next;
      size++;
    }
  }
  return size;
}

/** The pixels whose middles are within the convex hull of the mask's, beside the mask's own. */
export function convex(data, width, height) {
  const points = [];
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width, (y + 1) * width);
    const first = row.indexOf(1);
    if (first >= 0) points.push([first, y], [row.lastIndexOf(1), y]);
  }
  const result = data.slice();
  if (!points.length) return result;
  const hull = hullOf(points);
  const low = new Float64Array(height).fill(Infinity);
  const high = new Float64Array(height).fill(-Infinity);
  hull.forEach(([x1, y1], i) => {
    const [x2, y2] = hull[(i + 1) % hull.length];
    for (let y = Math.min(y1, y2); y <= Math.max(y1, y2); y++) {
      const ends = y1 === y2 ? [x1, x2] : [x1 + ((x2 - x1) * (y - y1)) / (y2 - y1)];
      low[y] = Math.min(low[y], ...ends);
      high[y] = Math.max(high[y], ...ends);
    }
  });
  for (let y = 0; y < height; y++) {
    if (high[y] < low[y]) continue;
    result.fill(1, y * width + Math.ceil(low[y] - 1e-9), y * width + Math.floor(high[y] + 1e-9) + 1);
  }
  return result;
}

/** Andrew's monotone chain. */
function hullOf(points) {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (ordered) => {
    const chain = [];
    for (const p of ordered) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), p) <= 0) chain.pop();
      chain.push(p);
    }
    return chain.slice(0, -1);
  };
  const hull = [...half(sorted), ...half(sorted.reverse())];
  return hull.length ? hull : [points[0]];
}

function turn(a, b, c) {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/** Where a Gaussian of this standard deviation leaves more than one half; what is at the border goes on beyond it. */
export function smoothed(data, width, height, sigma) {
  const kernel = gaussian(sigma);
  const reach = kernel.length >> 1;
  // Along a row a mask is a few runs, and the weights of a run are a difference of two sums.
  const upTo = new Float64Array(kernel.length + 1);
  kernel.forEach((weight, i) => (upTo[i + 1] = upTo[i] + weight));
  const rows = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width, (y + 1) * width);
    for (let start = row.indexOf(1); start >= 0; ) {
      let end = row.indexOf(0, start);
      if (end < 0) end = width;
      const [low, high] = [start === 0 ? -reach : start, end === width ? width + reach : end];
      for (let x = 0; x < width; x++) {
        const from = Math.min(Math.max(low - x + reach, 0), kernel.length);
        const to = Math.min(Math.max(high - x + reach, 0), kernel.length);
        rows[y * width + x] += upTo[to] - upTo[from];
      }
      start = row.indexOf(1, end);
    }
  }
  const result = new Uint8Array(width * height);
  const sums = new Float32Array(width);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    for (let i = 0; i < kernel.length; i++) {
      const place = Math.min(Math.max(y + i - reach, 0), height - 1) * width;
      const weight = kernel[i];
      for (let x = 0; x < width; x++) sums[x] += weight * rows[place + x];
    }
    for (let x = 0; x < width; x++) result[y * width + x] = sums[x] > 0.5 ? 1 : 0;
  }
  return result;
}

/** As long as OpenCV makes it. */
function gaussian(sigma) {
  const length = Math.round(8 * sigma + 1) | 1;
  const middle = length >> 1;
  const weights = Float64Array.from({ length }, (_, i) => Math.exp(-((i - middle) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((sum, x) => sum + x, 0);
  return weights.map((x) => x / total);
}

// Outlines: from a mask to a line, to points a hand can drag, and from these to a mask again.

import { bounds } from "./masks.js";

export const POINTS = 14; // of a draggable outline

/** The outline of a mask of one region as a closed polygon, [x, y] each, through the middles of its pixels' edges. */
export function contour(mask) {
  const box = bounds(mask);
  if (!box) return [];
  const inside = (x, y) =>
    x >= 0 && y >= 0 && x < mask.width && y < mask.height && mask.data[y * mask.width + x] === 1;
  const top = box.top - mask.top;
  const left = mask.data.indexOf(1, top * mask.width) - top * mask.width;
  // Along pixels' corners with the inside on the right hand; 0 east, 1 south, 2 west, 3 north.
  const steps = [[1, 0], [0, 1], [-1, 0], [0, -1]];
  const ahead = [[[0, -1], [0, 0]], [[0, 0], [-1, 0]], [[-1, 0], [-1, -1]], [[-1, -1], [0, -1]]]; // left, right pixel
  let [x, y, direction] = [left, top, 0];
  const points = [];
  do {
    const [dx, dy] = steps[direction];
    points.push([mask.left + x + dx / 2, mask.top + y + dy / 2]);
    [x, y] = [x + dx, y + dy];
    const [[lx, ly], [rx, ry]] = ahead[direction];
    if (inside(x + lx, y + ly)) direction = (direction + 3) % 4; // diagonal neighbours belong together
    else if (!inside(x + rx, y + ry)) direction = (direction + 1) % 4;
  } while (x !== left || y !== top || direction !== 0);
  return points;
}

/** Points at equal distances along a mask's outline, from its top on; none of an empty mask. */
export function pointsOf(mask, count = POINTS) {
  const line = evenContour(mask);
  if (!line.length) return [];
  const lengths = [0];
  line.forEach(([x, y], i) => {
    const [nextX, nextY] = line[(i + 1) % line.length];
    lengths.push(lengths[i] + Math.hypot(nextX - x, nextY - y));
  });
  const points = [];
  for (let k = 0, i = 0; k < count; k++) {
    const wanted = (lengths.at(-1) * k) / count;
    while (lengths[i + 1] < wanted) i++;
    const part = (wanted - lengths[i]) / (lengths[i + 1] - lengths[i] || 1);
    const [[x1, y1], [x2, y2]] = [line[i], line[(i + 1) % line.length]];
    points.push([x1 + part * (x2 - x1), y1 + part * (y2 - y1)]);
  }
  return points;
}

/** The contour without the stairs of pixels: each point the mean of a few. */
export function evenContour(mask) {
  const line = contour(mask);
  const reach = Math.min(4, Math.floor(line.length / 20));
  return line.map((_, i) => {
    let [x, y] = [0, 0];
    for (let k = -reach; k <= reach; k++) {
      const point = line[(i + k + line.length) % line.length];
      x += point[0];
      y += point[1];
    }
    return [x / (2 * reach + 1), y / (2 * reach + 1)];
  });
}

/** A circle's points. */
export function circle(x, y, radius, count = POINTS) {
  return Array.from({ length: count }, (_, i) => {
    const turn = (2 * Math.PI * i) / count - Math.PI / 2;
    return [x + radius * Math.cos(turn), y + radius * Math.sin(turn)];
  });
}

/** The closed Catmull-Rom spline through some points, as a polygon. */
export function spline(points, steps = 24) {
  const count = points.length;
  return points.flatMap((_, i) => {
    const [a, b, c, d] = [-1, 0, 1, 2].map((k) => points[(i + k + count) % count]);
    return Array.from({ length: steps }, (__, k) => {
      const t = k / steps;
      return [0, 1].map(
        (axis) =>
          0.5 *
          (2 * b[axis] +
            t * (c[axis] - a[axis]) +
            t * t * (2 * a[axis] - 5 * b[axis] + 4 * c[axis] - d[axis]) +
            t * t * t * (3 * (b[axis] - c[axis]) + d[axis] - a[axis])),
      );
    });
  });
}

/** A closed polygon as an SVG path; "" of no points. */
export function path(polygon) {
  return polygon.length ? `M${polygon.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L")}Z` : "";
}

/** The mask of a polygon: the pixels of a photograph of this size whose middles are within it. */
export function filled(polygon, size) {
  const [xs, ys] = [0, 1].map((axis) => polygon.map((point) => point[axis]));
  const left = Math.min(Math.max(Math.floor(Math.min(...xs)), 0), size.width);
  const top = Math.min(Math.max(Math.floor(Math.min(...ys)), 0), size.height);
  const width = Math.max(Math.min(Math.ceil(Math.max(...xs)), size.width) - left, 0);
  const height = Math.max(Math.min(Math.ceil(Math.max(...ys)), size.height) - top, 0);
  const data = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const y = top + row + 0.5;
    const crossings = [];
    polygon.forEach(([x1, y1], i) => {
      const [x2, y2] = polygon[(i + 1) % polygon.length];
      if (y1 <= y !== y2 <= y) crossings.push([x1 + ((x2 - x1) * (y - y1)) / (y2 - y1), y2 > y1 ? 1 : -1]);
    });
    crossings.sort((a, b) => a[0] - b[0]);
    let turns = 0;
    crossings.forEach(([x, turn], i) => {
      turns += turn;
      if (!turns || i + 1 === crossings.length) return;
      const [from, to] = [x, crossings[i + 1][0]].map((end) => Math.min(Math.max(Math.ceil(end - 0.5) - left, 0), width));
      data.fill(1, row * width + from, row * width + Math.max(from, to));
    });
  }
  return { left, top, width, height, data };
}

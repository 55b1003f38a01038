// Outlines as SVG, in the photograph's pixels, whose centres are at whole numbers.

/** The path of polygons [[x, y], ...]. */
function pathOf(polygons) {
  return (polygons ?? []).map((points) => `M${points.map((point) => point.join(" ")).join("L")}Z`).join("");
}

/** The smallest box [x0, y0, x1, y1] about polygons; null without any. */
function boxAbout(polygons) {
  const points = (polygons ?? []).flat();
  if (!points.length) return null;
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** Lines of disc and cup over a darker, wider line each, which keeps them legible on any ground. */
function outlineOf(polygons, name, extra = "") {
  const line = pathOf(polygons);
  return [
    shape("path", { d: line, class: `under ${extra}` }),
    shape("path", { d: line, class: `line ${name} ${extra}`, "data-structure": name }),
  ];
}

/** The largest polygon, its area and its centre of mass; null without any. */
function centreOf(polygons) {
  let best = null;
  for (const points of polygons ?? []) {
    let [area, x, y] = [0, 0, 0];
    points.forEach(([ax, ay], i) => {
      const [bx, by] = points[(i + 1) % points.length];
      const cross = ax * by - bx * ay;
      area += cross / 2;
      x += ((ax + bx) * cross) / 6;
      y += ((ay + by) * cross) / 6;
    });
    if (area && (!best || Math.abs(area) > best.area))
      best = { x: x / area, y: y / area, area: Math.abs(area), points };
  }
  return best;
}

/** How far such a polygon reaches from its centre at an angle, degrees counterclockwise from the right. */
function reachAt({ x, y, points }, angle) {
  const [dx, dy] = [Math.cos((angle * Math.PI) / 180), -Math.sin((angle * Math.PI) / 180)];
  let reach = 0;
  points.forEach(([ax, ay], i) => {
    const [bx, by] = points[(i + 1) % points.length];
    const [ex, ey] = [bx - ax, by - ay];
    const cross = dx * ey - dy * ex;
    if (!cross) return;
    const along = ((ax - x) * ey - (ay - y) * ex) / cross;
    const share = ((ax - x) * dy - (ay - y) * dx) / cross;
    if (along > 0 && share >= 0 && share <= 1) reach = Math.max(reach, along);
  });
  return reach;
}

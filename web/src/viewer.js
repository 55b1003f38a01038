// The photograph at any size with both outlines on it, and points of an outline that can be dragged.

import { $ } from "./dom.js";
import { remeasure, remember, STRUCTURES } from "./item.js";
import { bounds } from "./masks.js";
import { circle, evenContour, path, pointsOf, spline } from "./outline.js";

const SVG = "http://www.w3.org/2000/svg";
const CLOSEST = 12; // of the page's pixels for one of the photograph's
const SMALLEST = 140; // of the page's pixels, a disc whose outline can be corrected
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @param {(item) => void} changed called as an outline changes. */
export function createViewer(changed) {
  const [box, canvas, svg] = [$("viewer"), $("picture"), $("outlines")];
  const view = { scale: 1, x: 0, y: 0 };
  const pointers = new Map(); // of fingers on the picture
  let [item, bitmap, structure, draft, grip] = [null, null, "", null, null];
  let seen = sides(); // as it was drawn last

  new ResizeObserver(resized).observe(box);
  svg.addEventListener("pointerdown", press);
  svg.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, release);
  svg.addEventListener("keydown", nudge);
  box.addEventListener("wheel", wheel, { passive: false });

  /** Show a photograph that is done: its disc, or all of it where none was found. */
  async function show(next) {
    [item, structure, draft, grip] = [next, "", null, null];
    bitmap?.close();
    bitmap = null;
    const opened = await createImageBitmap(item.file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
    if (item !== next) return opened.close();
    bitmap = opened;
    toDisc();
  }

  function close() {
    item = null;
  }

  /** What was in the middle stays there, as large in proportion. */
  function resized() {
    const [before, now] = [seen, sides()];
    seen = now;
    if (!item || !Math.min(...now)) return;
    const factor = Math.min(...before) ? Math.min(...now) / Math.min(...before) : 1;
    view.x = now[0] / 2 + (view.x - before[0] / 2) * factor;
    view.y = now[1] / 2 + (view.y - before[1] / 2) * factor;
    view.scale *= factor;
    drawPicture();
  }

  function sides() {
    return [box.clientWidth, box.clientHeight];
  }

  /** Bring a window of the photograph to the middle, filling this part of the picture. */
  function frame({ left, top, width, height }, part) {
    const [across, down] = (seen = sides());
    view.scale = Math.min((part * across) / width, (part * down) / height, CLOSEST);
    view.x = across / 2 - view.scale * (left + width / 2);
    view.y = down / 2 - view.scale * (top + height / 2);
    drawPicture();
  }

  function toWhole() {
    frame({ left: 0, top: 0, ...item.size }, 1);
  }

  function toDisc() {
    const disc = bounds(item.disc);
    if (disc) frame(disc, 0.55);
    else toWhole();
  }

  function zoom(factor, x = sides()[0] / 2, y = sides()[1] / 2) {
    const [across, down] = sides();
    const least = 0.5 * Math.min(across / item.size.width, down / item.size.height);
    const scale = Math.min(Math.max(view.scale * factor, least), CLOSEST);
    view.x = x - ((x - view.x) * scale) / view.scale;
    view.y = y - ((y - view.y) * scale) / view.scale;
    view.scale = scale;
    drawPicture();
  }

  function wheel(event) {
    if (!item) return;
    event.preventDefault();
    const { left, top } = box.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - left, event.clientY - top);
  }

  function drawPicture() {
    const [across, down] = sides();
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(across * ratio), Math.round(down * ratio)];
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.imageSmoothingEnabled = view.scale < 4;
    context.setTransform(view.scale * ratio, 0, 0, view.scale * ratio, view.x * ratio, view.y * ratio);
    if (bitmap) context.drawImage(bitmap, 0, 0);
    drawOutlines();
  }

  function drawOutlines() {
    $("lines").setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
    for (const name of STRUCTURES) {
      const points = item.points[name] ?? (name === structure ? draft : null);
      const shown = $(`show-${name}`).checked;
      const line = shown ? path(points ? spline(points) : evenContour(item[name])) : "";
      $(`line-${name}`).setAttribute("d", line);
      $(`line-${name}-under`).setAttribute("d", line);
      $(`line-${name}`).toggleAttribute("data-movable", name === structure);
    }
    const points = structure ? (item.points[structure] ?? draft) : [];
    const handles = [...$("handles").children];
    const apart = points.length ? view.scale * Math.hypot(points[1][0] - points[0][0], points[1][1] - points[0][1]) : 0;
    const radii = [between(0.5 * apart, 6, 18), between(0.22 * apart, 3, 6)]; // smaller where points are near each other
    points.forEach(([x, y], i) => {
      const handle = handles[i] ?? $("handles").appendChild(newHandle(i));
      [...handle.children].forEach((round, k) => round.setAttribute("r", radii[k]));
      handle.setAttribute("class", `handle ${structure}`);
      handle.setAttribute("transform", `translate(${x * view.scale + view.x} ${y * view.scale + view.y})`);
      const place = `${Math.round(x)}, ${Math.round(y)}`;
      handle.setAttribute("aria-label", `${structure}, point ${i + 1} of ${points.length}, at ${place}`);
    });
    for (const handle of handles.slice(points.length)) handle.remove();
  }

  function newHandle(index) {
    const handle = document.createElementNS(SVG, "g");
    handle.setAttribute("tabindex", "0");
    handle.setAttribute("role", "button");
    handle.setAttribute("aria-roledescription", "movable point");
    handle.dataset.index = index;
    for (const name of ["reach", "dot"]) {
      const round = document.createElementNS(SVG, "circle");
      round.setAttribute("class", name);
      handle.append(round);
    }
    return handle;
  }

  /** Put points on an outline: "disc", "cup", or "": on none. */
  function edit(name) {
    structure = name;
    draft = name ? pointsOf(item[name]) : null;
    if (name && !item.points[name] && !draft.length) {
      // Nothing to start from: a circle in the middle of what is seen, or of the disc.
      remember(item);
      item.points[name] = firstCircle(name);
      remeasure(item);
      changed(item);
    }
    const disc = bounds(item.disc);
    if (name && disc && disc.height * view.scale < SMALLEST) toDisc();
    else drawOutlines();
  }

  function firstCircle(name) {
    const disc = bounds(item.disc);
    if (name === "cup" && disc) {
      return circle(disc.left + disc.width / 2, disc.top + disc.height / 2, Math.min(disc.width, disc.height) / 4);
    }
    const [across, down] = sides().map((side) => side / view.scale);
    const [x, y] = [across / 2 - view.x / view.scale, down / 2 - view.y / view.scale];
    return circle(x, y, Math.min(across, down) / (name === "disc" ? 5 : 10));
  }

  function press(event) {
    if (!item || event.button) return;
    const handle = event.target.closest(".handle");
    const line = event.target.closest("path[data-movable]");
    svg.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.size > 1) grip = null; // two fingers zoom
    else if (handle) {
      grip = { index: Number(handle.dataset.index) };
      handle.focus();
      event.preventDefault();
    } else grip = line ? { index: -1 } : null;
  }

  function move(event) {
    const before = pointers.get(event.pointerId);
    if (!before || !item) return;
    const now = [event.clientX, event.clientY];
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    if (pointers.size === 2) pinch(event.pointerId, before, now);
    else if (grip) {
      if (!grip.moved) beginChange();
      grip.moved = true;
      shift(grip.index, dx / view.scale, dy / view.scale);
    } else {
      view.x += dx;
      view.y += dy;
      drawPicture();
    }
    pointers.set(event.pointerId, now);
  }

  function pinch(id, before, now) {
    const [, other] = [...pointers].find(([key]) => key !== id);
    const { left, top } = box.getBoundingClientRect();
    const apart = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
    zoom(apart(now) / Math.max(apart(before), 1), (now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top);
  }

  function release(event) {
    pointers.delete(event.pointerId);
    grip = null;
  }

  function nudge(event) {
    const handle = event.target.closest(".handle");
    if (!handle || !KEYS[event.key]) return;
    event.preventDefault();
    beginChange();
    const step = event.shiftKey ? 10 : 1;
    shift(Number(handle.dataset.index), ...KEYS[event.key].map((x) => x * step));
  }

  function beginChange() {
    remember(item);
    item.points[structure] ??= draft;
    item.points = structuredClone(item.points);
  }

  /** Move one point, or all with -1, by so many of the photograph's pixels; not beyond its edges. */
  function shift(index, dx, dy) {
    const limits = [item.size.width, item.size.height];
    const points = item.points[structure];
    points.forEach((point, i) => {
      if (index >= 0 && i !== index) return;
      [dx, dy].forEach((by, axis) => (point[axis] = Math.min(Math.max(point[axis] + by, 0), limits[axis])));
    });
    remeasure(item);
    drawOutlines();
    changed(item);
  }

  return { show, close, edit, draw: () => item && drawOutlines(), toDisc, toWhole, zoom };
}

function between(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

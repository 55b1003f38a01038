// One photograph of the list: what was predicted, what a hand corrected, and the measures as they are now.

import { both } from "./masks.js";
import { verticalRatio } from "./measures.js";
import { filled, spline } from "./outline.js";

export const STRUCTURES = ["disc", "cup"];

/** A photograph that waits; `state` becomes "working", then "done" or "failed". */
export function newItem(id, file) {
  return { id, file, name: file.name, state: "waiting", points: { disc: null, cup: null }, history: [] };
}

/** Take over what the worker found. */
export function finish(item, { size, prediction, closeUp, seconds }) {
  Object.assign(item, { state: "done", size, prediction, closeUp, seconds });
  remeasure(item);
}

/** Masks, ratio and interval anew, after points moved; a corrected outline has no interval: that is of predictions. */
export function remeasure(item) {
  const { points, prediction, size } = item;
  item.disc = points.disc ? filled(spline(points.disc), size) : prediction.disc;
  item.cup = points.cup ? filled(spline(points.cup), size) : prediction.cup;
  item.corrected = Boolean(points.disc || points.cup);
  if (item.corrected) item.cup = both(item.cup, item.disc);
  item.vcdr = item.corrected ? verticalRatio(item.disc, item.cup) : prediction.vcdr;
  item.interval = item.corrected ? [NaN, NaN] : prediction.interval;
}

/** Keep the points as they are, to come back to them. */
export function remember(item) {
  item.history.push(structuredClone(item.points));
}

/** One step back. */
export function undo(item) {
  const before = item.history.pop();
  if (!before) return;
  item.points = before;
  remeasure(item);
}

/** Back to what was predicted; this can be undone. */
export function reset(item) {
  remember(item);
  item.points = { disc: null, cup: null };
  remeasure(item);
}

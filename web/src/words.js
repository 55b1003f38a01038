// Numbers and flags as people read them.

import { AGREEMENT, AT_EDGE, NO_CUP, NO_DISC, SHAPE } from "./measures.js";

const DOUBTS = {
  [NO_DISC]: "No disc found",
  [NO_CUP]: "No cup found",
  [AT_EDGE]: "Cut off by the edge",
  [AGREEMENT]: "Looks disagree",
  [SHAPE]: "Not disc-shaped",
};

export function ratio(value) {
  return Number.isFinite(value) ? value.toFixed(2) : "–";
}

export function interval([low, high]) {
  return Number.isFinite(low) ? `${low.toFixed(2)} to ${high.toFixed(2)}` : "";
}

/** What to show of a photograph's doubts: {text, kind} each. */
export function doubts(item) {
  if (item.state === "failed") return [{ text: item.error, kind: "failed" }];
  if (item.state !== "done") return [];
  if (item.corrected) return [{ text: "Corrected", kind: "corrected" }];
  return item.prediction.flags.map((flag) => ({ text: DOUBTS[flag] ?? flag, kind: "doubt" }));
}

// Numbers and flags as people read them.

import { AGREEMENT, AT_EDGE, NO_CUP, NO_DISC, SHAPE } from "./measures.js";

const DOUBTS = {
  [NO_DISC]: "No disc found",
  [NO_CUP]: "No cup found",
  [AT_EDGE]: "Cut off by the edge",
  [AGREEMENT]: "Looks disagree",
  [SHAPE]: "Not disc-shaped",
};

/** Two digits, from the four that tables have; a tie goes up, as in the reports of `fundus predict`. */
export function ratio(value) {
  return Number.isFinite(value) ? (Math.floor(Number(value.toFixed(4)) * 100 + 0.5) / 100).toFixed(2) : "–";
}

export function interval([low, high]) {
  return Number.isFinite(low) ? `${ratio(low)} to ${ratio(high)}` : "";
}

/** What to show of a photograph's doubts: {text, kind} each. */
export function doubts(item) {
  if (item.state === "failed") return [{ text: item.error, kind: "failed" }];
  if (item.state !== "done") return [];
  if (item.corrected) return [{ text: "Corrected", kind: "corrected" }];
  return item.prediction.flags.map((flag) => ({ text: DOUBTS[flag] ?? flag, kind: "doubt" }));
}

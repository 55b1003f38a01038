// Numbers as people read them.

import assert from "node:assert/strict";
import test from "node:test";

import { interval, ratio } from "../src/words.js";

test("a ratio is that of the report", () => {
  const shown = [45 / 72, 198 / 307, 0.5549, 0.555, 0, 1, NaN].map(ratio);
  assert.deepEqual(shown, ["0.63", "0.65", "0.55", "0.56", "0.00", "1.00", "–"]);
  assert.equal(interval([0.125, 0.2]), "0.13 to 0.20");
  assert.equal(interval([NaN, NaN]), "");
});

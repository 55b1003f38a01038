// A prediction from what a network saw, without the network.

import assert from "node:assert/strict";
import test from "node:test";

import { predict } from "../src/prediction.js";
import { picture } from "./golden.js";

const settings = {
  photograph_sides: [64, 64],
  crop: 0,
  mask_threshold: 0.5,
  regular_shape: false,
  ellipse_weight: 0,
  vcdr_margin: 0.1,
  flag_below: 0.5,
  flag_ellipse_below: 0,
};

/** A square of cells, 16 of a side: the rows from `top` up to `bottom`. */
function rows(top, bottom) {
  return Float32Array.from({ length: 256 }, (_, i) => (i >= 16 * top && i < 16 * bottom ? 1 : 0));
}

test("a cup beyond the disc is cut off for the outline and for the ratio", async () => {
  const masks = Float32Array.from([...rows(0, 10), ...rows(5, 15)]);
  const look = () => ({ box: [16, 16, 48, 48], score: 1, side: 16, agreement: 1, masks });
  const { disc, cup, vcdr } = await predict(look, picture(64, 64), settings);
  assert.deepEqual([disc.left, disc.top, disc.width, disc.height], [cup.left, cup.top, cup.width, cup.height]);
  assert.ok(cup.data.some((x) => x));
  assert.ok(cup.data.every((x, i) => !x || disc.data[i]));
  assert.equal(vcdr, 0.5); // rows 5 to 10 of ten
});

// The page's own functions give what Python's give, for the same pictures and masks.

import assert from "node:assert/strict";
import test from "node:test";

import { cropped, towards } from "../src/crop.js";
import { paste } from "../src/masks.js";
import { measure, verticalRatio } from "../src/measures.js";
import { resize, resizedSize } from "../src/resize.js";
import { ellipseIou, regularDiscAndCup, towardsEllipses } from "../src/shape.js";
import { agreementOfPasses, samePlace } from "../src/views.js";
import { blob, dice, difference, golden, grid, picture, unpacked } from "./golden.js";

test("photographs get the sides that Detectron2 gives them", () => {
  for (const { size, sides, new: [height, width] } of golden.sizes) {
    assert.deepEqual(resizedSize({ height: size[0], width: size[1] }, sides), { width, height });
  }
});

test("a cup that was not found is no ratio of zero", () => {
  const mask = (data) => ({ left: 0, top: 0, width: 3, height: 3, data: Uint8Array.from(data) });
  const [disc, none] = [mask([0, 1, 0, 1, 1, 1, 0, 1, 0]), mask(Array(9).fill(0))];
  const size = { width: 30, height: 30 };
  const sure = { agreement: 1, ellipse: 1 };
  const settings = { flag_below: 0.5, flag_ellipse_below: 0.5, vcdr_margin: 0.1 };
  const cupless = measure({ ...disc, left: 9, top: 9 }, none, size, sure, settings);
  assert.deepEqual(cupless, { vcdr: NaN, interval: [NaN, NaN], flags: ["no cup"] });
  assert.deepEqual(measure(none, none, size, sure, settings).flags, ["no disc"]);
  const one = mask([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  assert.equal(measure({ ...disc, left: 9, top: 9 }, { ...one, left: 9, top: 9 }, size, sure, settings).vcdr, 1 / 3);
});

test("resizing gives PyTorch's pixels", () => {
  for (const { height, width, new: [newHeight, newWidth], pixels } of golden.resize) {
    const found = resize(picture(height, width), { width: newWidth, height: newHeight });
    const { largest } = difference(found.data, unpacked(pixels));
    assert.ok(largest <= 1, `${width} x ${height}: ${largest}`);
    assert.equal(found.data.length, unpacked(pixels).length);
  }
});

test("the square about the disc has OpenCV's pixels", () => {
  for (const { height, width, box, side, pixels } of golden.crop) {
    const map = towards(box, { crop: 0.375, crop_side: side, box_scale: 1.25 });
    const found = cropped(picture(height, width), map);
    const { largest, mean } = difference(found.data, unpacked(pixels));
    assert.ok(mean < 0.02 && largest <= 2, `${width} x ${height}: ${largest}, ${mean}`);
  }
});

test("masks are pasted as Detectron2 pastes them", () => {
  for (const { height, width, box, masks } of golden.paste) {
    masks.forEach((expected, structure) => {
      const found = paste(grid(structure), 28, box, { width, height }, 0.5);
      assert.ok(dice(found, unpacked(expected), width) > 0.998);
    });
  }
});

test("shapes are made regular and drawn towards ellipses as in Python", () => {
  for (const { height, width, radius, shift, weight, regular, drawn, ellipse, vcdr } of golden.shape) {
    const masks = [blob(height, width, radius, shift), blob(height, width, Math.floor(radius / 2), shift)];
    const found = regularDiscAndCup(...masks, { width, height });
    assert.equal(dice(found.disc, unpacked(regular[0]), width), 1);
    assert.equal(dice(found.cup, unpacked(regular[1]), width), 1);
    assert.ok(Math.abs(ellipseIou(found.disc) - ellipse) < 1e-3);
    const round = towardsEllipses(found.disc, found.cup, weight, { width, height });
    assert.ok(dice(round.disc, unpacked(drawn[0]), width) > 0.999);
    assert.ok(dice(round.cup, unpacked(drawn[1]), width) > 0.998);
    assert.ok(Math.abs(verticalRatio(round.disc, round.cup) - vcdr) < 0.02);
  }
});

test("two looks agree as much as in Python", () => {
  const joined = (a, b) => Float32Array.from([...grid(a), ...grid(b)]);
  for (const { boxes, agreement } of golden.agreement) {
    const looks = boxes.map((box, i) => ({ box, side: 28, masks: joined(i, i + 1) }));
    assert.ok(Math.abs(agreementOfPasses(...looks) - agreement) < 0.01);
  }
});

test("two boxes are in one place where either holds the other's middle", () => {
  assert.ok(samePlace([0, 0, 10, 10], [6, 6, 40, 40]) === false);
  assert.ok(samePlace([0, 0, 10, 10], [2, 2, 12, 12]));
  assert.ok(samePlace([0, 0, 100, 100], [60, 60, 80, 80]));
});

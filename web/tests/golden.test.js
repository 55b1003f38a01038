// The page's own functions give what Python's give, for the same pictures and masks.

import assert from "node:assert/strict";
import test from "node:test";

import { cropped, towards } from "../src/crop.js";
import { paste } from "../src/masks.js";
import { verticalRatio } from "../src/measures.js";
import { resize, resizedSize } from "../src/resize.js";
import { ellipseIou, regularDiscAndCup, towardsEllipses } from "../src/shape.js";
import { agreementOfPasses, samePlace } from "../src/views.js";
import { blob, dice, difference, golden, grid, picture, unpacked } from "./golden.js";

test("photographs get the sides that Detectron2 gives them", () => {
  for (const { size, sides, new: [height, width] } of golden.sizes) {
    assert.deepEqual(resizedSize({ height: size[0], width: size[1] }, sides), { width, height });
  }
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

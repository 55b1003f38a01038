// What is written: PNG, ZIP and the table; and outlines that become masks and points again.

import assert from "node:assert/strict";
import test from "node:test";
import { inflateSync } from "node:zlib";

import { crc32 } from "../src/crc32.js";
import { area } from "../src/masks.js";
import { verticalDiameter } from "../src/measures.js";
import { circle, contour, filled, pointsOf, spline } from "../src/outline.js";
import { codedMask, greyPng } from "../src/png.js";
import { COLUMNS, distinct, table } from "../src/table.js";
import { zip } from "../src/zip.js";

const SIZE = { width: 200, height: 160 };

function disk(x, y, radius) {
  return filled(spline(circle(x, y, radius, 60)), SIZE);
}

function common(a, b) {
  const [first, second] = [a, b].map((mask) => codedMask(mask, { height: 0 }, SIZE));
  let count = 0;
  for (let i = 0; i < first.length; i++) count += first[i] < 255 && second[i] < 255;
  return (2 * count) / (area(a) + area(b));
}

test("a polygon's mask has its area and place, and is cut at the photograph's edge", () => {
  const mask = disk(100, 80, 40);
  assert.ok(Math.abs(area(mask) - Math.PI * 1600) < 30);
  assert.equal(verticalDiameter(mask), 80);
  assert.ok(area(disk(0, 80, 40)) < 0.52 * area(mask));
  assert.equal(area(disk(-100, 80, 40)), 0);
});

test("an outline's points give its mask again", () => {
  for (const radius of [8, 25, 60]) {
    const mask = disk(90.3, 81.2, radius);
    const points = pointsOf(mask);
    assert.equal(points.length, 14);
    assert.ok(common(mask, filled(spline(points), SIZE)) > 0.985);
  }
  assert.deepEqual(pointsOf(disk(-100, 80, 40)), []);
});

test("a contour goes around the mask, diagonal neighbours and all", () => {
  const two = { left: 5, top: 6, width: 2, height: 2, data: Uint8Array.of(1, 0, 0, 1) };
  assert.equal(contour(two).length, 8);
  assert.deepEqual(contour({ left: 5, top: 6, width: 1, height: 1, data: Uint8Array.of(1) }), [
    [5.5, 6], [6, 6.5], [5.5, 7], [5, 6.5],
  ]);
});

test("a PNG file holds the values", async () => {
  const values = codedMask(disk(100, 80, 40), disk(100, 80, 20), SIZE);
  assert.deepEqual([...new Set(values)].sort((a, b) => a - b), [0, 128, 255]);
  const file = await greyPng(values, SIZE);
  const view = new DataView(file.buffer);
  assert.deepEqual([view.getUint32(16), view.getUint32(20), file[24], file[25]], [200, 160, 8, 0]);
  const rows = inflateSync(file.subarray(41, 41 + view.getUint32(33)));
  assert.deepEqual(new Uint8Array(rows.subarray(81 * 201 + 1, 82 * 201)), values.subarray(81 * 200, 82 * 200));
});

test("checksums and the ZIP file's directory", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  const file = zip([{ name: "ä.png", data: Uint8Array.of(1, 2, 3) }, { name: "b.png", data: Uint8Array.of(4) }]);
  const end = new DataView(file.buffer, file.length - 22);
  assert.equal(end.getUint32(0, true), 0x06054b50);
  assert.equal(end.getUint16(10, true), 2);
  assert.equal(new DataView(file.buffer).getUint32(end.getUint32(16, true), true), 0x02014b50);
});

test("the table has a row for each photograph, quoted where it must be", () => {
  const mask = disk(100, 80, 40);
  const item = {
    name: 'left, "2".jpg', size: SIZE, prediction: { flags: ["no disc"], agreement: NaN, ellipse: 0.5, score: 1 },
    disc: mask, cup: mask, vcdr: 1, interval: [NaN, NaN], corrected: true, seconds: 1.234,
  };
  const [header, row, rest] = table([item], { version: "1.0", sha256: "0123456789abcdef" }).split("\r\n");
  assert.equal(header, COLUMNS.join(","));
  assert.ok(row.startsWith('"left, ""2"".jpg",200,160,1,no disc,1.0000,nan,nan,nan,0.5000,1.0000,'));
  assert.ok(row.endsWith(",1,1.23,1.0,0123456789ab"));
  assert.equal(rest, "");
});

test("no two names are the same", () => {
  assert.deepEqual(distinct(["a.png", "a.png", "b", "b", "a.png"]), ["a.png", "a (2).png", "b", "b (2)", "a (3).png"]);
});

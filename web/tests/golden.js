// The pictures and masks of tests/web/golden.py, drawn by the same formulas, and what Python made of them.

import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

export const golden = JSON.parse(readFileSync(new URL("./golden.json", import.meta.url), "utf8"));

export function picture(height, width) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const wave = Math.floor((3 * x * x + 5 * y * y + 7 * x * y) / 97);
      for (let c = 0; c < 3; c++) data[4 * (y * width + x) + c] = (wave + 85 * c) % 256;
      data[4 * (y * width + x) + 3] = 255;
    }
  }
  return { width, height, data };
}

export function blob(height, width, radius, shift) {
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [dx, dy] = [x - Math.floor(width / 2) - shift, y - Math.floor(height / 2)];
      const inside =
        4 * dx * dx + 3 * dy * dy + dx * dy < 4 * radius * radius &&
        !(Math.abs(dx) < Math.floor(radius / 6) && dy < Math.floor(-radius / 2)) &&
        (dx - Math.floor(radius / 3)) ** 2 + dy * dy > 12;
      data[y * width + x] = inside || (x < 6 && y < 4 && x > 1) ? 1 : 0;
    }
  }
  return { left: 0, top: 0, width, height, data };
}

export function grid(structure) {
  const result = new Float32Array(28 * 28);
  for (let y = 0; y < 28; y++) {
    for (let x = 0; x < 28; x++) {
      const distance = (x - 13) ** 2 + (y - 14 + structure) ** 2;
      const value = (160 >> structure) - distance + ((x * y) % 7) * 4;
      result[y * 28 + x] = Math.floor(Math.min(Math.max(value, 0), 160) / 20) / 8;
    }
  }
  return result;
}

export function unpacked(text) {
  return new Uint8Array(inflateSync(Buffer.from(text, "base64")));
}

/** The largest difference of two arrays of bytes, and the mean one. */
export function difference(a, b) {
  let [largest, sum] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const found = Math.abs(a[i] - b[i]);
    largest = Math.max(largest, found);
    sum += found;
  }
  return { largest, mean: sum / b.length };
}

/** The Dice of a window's mask and all of a photograph's bytes. */
export function dice(mask, bytes, width) {
  let [common, total] = [0, 0];
  for (const value of bytes) total += value;
  for (let y = 0; y < mask.height; y++) {
    for (let x = 0; x < mask.width; x++) {
      const value = mask.data[y * mask.width + x];
      total += value;
      common += value & bytes[(mask.top + y) * width + mask.left + x];
    }
  }
  return total ? (2 * common) / total : 1;
}

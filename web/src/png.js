// Masks as PNG files of 8 bits of grey, coded as REFUGE's: 255 background, 128 the disc's rim, 0 the cup.

import { crc32 } from "./crc32.js";

const [CUP, RIM, BACKGROUND] = [0, 128, 255];

/** Disc and cup of a photograph as grey values, Uint8Array of width x height. */
export function codedMask(disc, cup, { width, height }) {
  const result = new Uint8Array(width * height).fill(BACKGROUND);
  for (const [mask, value] of [[disc, RIM], [cup, CUP]]) {
    for (let y = 0; y < mask.height; y++) {
      const place = (mask.top + y) * width + mask.left;
      for (let x = 0; x < mask.width; x++) if (mask.data[y * mask.width + x]) result[place + x] = value;
    }
  }
  return result;
}

/** Grey values as a PNG file, Uint8Array. */
export async function greyPng(values, { width, height }) {
  const rows = new Uint8Array((width + 1) * height); // each begins with its filter, 0: none
  for (let y = 0; y < height; y++) rows.set(values.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header[8] = 8; // bits; the rest 0: grey, deflate, no interlacing
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return joined([signature, chunk("IHDR", header), chunk("IDAT", packed), chunk("IEND", new Uint8Array(0))]);
}

function chunk(name, data) {
  const result = new Uint8Array(data.length + 12);
  const view = new DataView(result.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) result[4 + i] = name.charCodeAt(i);
  result.set(data, 8);
  view.setUint32(8 + data.length, crc32(result.subarray(4, 8 + data.length)));
  return result;
}

/** Arrays of bytes, one after another. */
export function joined(parts) {
  const result = new Uint8Array(parts.reduce((sum, x) => sum + x.length, 0));
  let place = 0;
  for (const part of parts) {
    result.set(part, place);
    place += part.length;
  }
  return result;
}

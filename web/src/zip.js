// Several files in one ZIP file, as they are: PNG files are packed already.

import { crc32 } from "./crc32.js";
import { joined } from "./png.js";

const UTF8 = 0x0800; // the names' coding
const DATE = (2000 - 1980) << 9 | 1 << 5 | 1; // ZIP has no "unknown"

/** @param {{name: string, data: Uint8Array}[]} files; the names differ. */
export function zip(files) {
  const [parts, directory] = [[], []];
  let place = 0;
  for (const { name, data } of files) {
    const title = new TextEncoder().encode(name);
    const common = [
      [20, 2], [UTF8, 2], [0, 2], [0, 2], [DATE, 2], [crc32(data), 4], [data.length, 4], [data.length, 4],
      [title.length, 2], [0, 2],
    ];
    const local = joined([fields([[0x04034b50, 4], ...common]), title, data]);
    directory.push(fields([[0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [place, 4]]), title);
    parts.push(local);
    place += local.length;
  }
  const length = directory.reduce((sum, x) => sum + x.length, 0);
  const end = [[0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [length, 4], [place, 4], [0, 2]];
  return joined([...parts, ...directory, fields(end)]);
}

/** Little-endian numbers of 2 or 4 bytes. */
function fields(values) {
  const result = new DataView(new ArrayBuffer(values.reduce((sum, [, bytes]) => sum + bytes, 0)));
  let place = 0;
  for (const [value, bytes] of values) {
    if (bytes === 2) result.setUint16(place, value, true);
    else result.setUint32(place, value, true);
    place += bytes;
  }
  return new Uint8Array(result.buffer);
}

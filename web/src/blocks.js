// A photograph made smaller by a whole number, as `photographs/resampling.py` does it with OpenCV.

/**
 * The means of blocks of `side` x `side` pixels, the last ones of what there is.
 *
 * @param photograph {width, height, data}, RGBA.
 * @param {{start: number, end: number}} columns which blocks; `rows` likewise.
 * @returns {Uint8Array} row by row, red, green and blue of each.
 */
export function blockMeans({ width, height, data }, side, columns, rows) {
  const result = new Uint8Array(3 * Math.max(0, (columns.end - columns.start) * (rows.end - rows.start)));
  let place = 0;
  for (let i = rows.start; i < rows.end; i++) {
    const bottom = Math.min((i + 1) * side, height);
    for (let j = columns.start; j < columns.end; j++) {
      const right = Math.min((j + 1) * side, width);
      let [red, green, blue] = [0, 0, 0];
      for (let row = i * side; row < bottom; row++) {
        for (let from = 4 * (row * width + j * side); from < 4 * (row * width + right); from += 4) {
          red += data[from];
          green += data[from + 1];
          blue += data[from + 2];
        }
      }
      const pixels = (bottom - i * side) * (right - j * side);
      for (const sum of [red, green, blue]) result[place++] = rounded(sum / pixels, side);
    }
  }
  return result;
}

/** As OpenCV rounds means: a half up in blocks of 2 x 2, otherwise to the even number. */
function rounded(mean, side) {
  const up = Math.round(mean);
  return side !== 2 && up - mean === 0.5 && up % 2 ? up - 1 : up;
}

// A photograph's pixels, turned upright as its EXIF data says, its colours as they are in the file.

const MOST_PIXELS = 1 << 27;

/**
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>}
 * @throws {Error} in words, for what this browser cannot read, or what is cut off or too large.
 */
export async function decode(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (isCutOff(bytes)) throw new Error("The file is cut off: JPEG's end marker is missing.");
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    throw new Error("This browser cannot read it. Save it as JPEG or PNG.");
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Error("It is larger than a photograph can be.");
  return bitmap;
}

/** RGBA pixels, {width, height, data}. */
export function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { width, height, data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return { width, height, data };
}

/** Whether a JPEG ends before its end marker; decoders fill the rest with grey and say nothing. */
export function isCutOff(bytes) {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return false;
  let [place, scan] = [2, 0];
  while (place + 4 <= bytes.length && bytes[place] === 0xff) {
    const marker = bytes[place + 1];
    if (marker === 0xff) {
      place++;
      continue;
    }
    if (marker === 0xda) {
      scan = place;
      break;
    }
    place += 2 + bytes[place + 2] * 256 + bytes[place + 3]; // a thumbnail in it has an end marker of its own
  }
  for (let i = bytes.length - 2; i >= scan; i--) if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return false;
  return true;
}

// The worker: decodes photographs and predicts them one by one, while the page stays free.

import { startEngine } from "./engine.js";
import { bounds } from "./masks.js";
import { decode, pixelsOf } from "./photograph.js";
import { predict } from "./prediction.js";

const CLOSE_UP = 176; // pixels of the small picture

let ready;
let last = Promise.resolve(); // one at a time: the engine has one photograph's memory

self.onmessage = ({ data: { id, file, start } }) => {
  if (start) {
    ready = load(start);
    ready.then(
      ({ model, engine }) => self.postMessage({ ready: { model, engine: engine.name } }),
      (error) => self.postMessage({ failed: error.message }),
    );
  } else {
    last = last.then(() => outline(id, file));
  }
};

async function outline(id, file) {
  let bitmap = null;
  try {
    const { model, engine } = await ready;
    const began = performance.now();
    bitmap = await decode(file);
    const prediction = await predict(engine.look, pixelsOf(bitmap), model.settings);
    const seconds = (performance.now() - began) / 1000;
    const closeUp = pictureAbout(bitmap, bounds(prediction.disc));
    const size = { width: bitmap.width, height: bitmap.height };
    self.postMessage({ id, result: { size, prediction, closeUp, seconds } }, [closeUp.bitmap]);
  } catch (error) {
    self.postMessage({ id, error: error.message });
  } finally {
    bitmap?.close();
  }
}

async function load(wanted) {
  const model = await fetched("model.json").then((x) => x.json());
  const graph = await fetched("model.onnx").then((x) => x.arrayBuffer());
  return { model, engine: await startEngine(new Uint8Array(graph), wanted) };
}

async function fetched(name) {
  const response = await fetch(new URL(name, self.location.href));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

/** A small square picture of the disc, or of the whole photograph where there is none; which square it is. */
function pictureAbout(bitmap, box) {
  const side = box ? 2 * Math.max(box.width, box.height) : Math.max(bitmap.width, bitmap.height);
  const [x, y] = box
    ? [box.left + box.width / 2, box.top + box.height / 2]
    : [bitmap.width / 2, bitmap.height / 2];
  const canvas = new OffscreenCanvas(CLOSE_UP, CLOSE_UP);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const scale = CLOSE_UP / side;
  const [left, top] = [x - side / 2, y - side / 2];
  context.drawImage(bitmap, -left * scale, -top * scale, bitmap.width * scale, bitmap.height * scale);
  return { bitmap: canvas.transferToImageBitmap(), left, top, side };
}

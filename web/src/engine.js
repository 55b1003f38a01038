// The graph in onnxruntime: on WebGPU where there is a device that runs it, in WebAssembly otherwise.

const FOLDER = new URL("ort/", self.location.href).href;
const MOST_THREADS = 4;

/**
 * @param {Uint8Array} graph the ONNX file.
 * @param {{engine?: string, threads?: number}} wanted "wasm" or "webgpu"; nothing: the best there is.
 * @returns {Promise<{look: Function, name: string}>} `look` as `predictInViews` wants it.
 */
export async function startEngine(graph, { engine, threads } = {}) {
  if (engine === "webgpu" || (!engine && (await hasGpu()))) {
    try {
      return await startOn("webgpu", graph);
    } catch (error) {
      if (engine === "webgpu") throw error;
      console.info(`WebGPU does not run this model: ${error.message}`);
    }
  }
  return startOn("wasm", graph, threads);
}

/** Whether there is a graphics processor; WebGPU in software is slower than WebAssembly by far. */
async function hasGpu() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    const software = adapter?.isFallbackAdapter || adapter?.info?.isFallbackAdapter;
    return Boolean(adapter) && !software && adapter.info?.architecture !== "swiftshader";
  } catch {
    return false;
  }
}

async function startOn(provider, graph, threads) {
  const gpu = provider === "webgpu";
  const ort = gpu ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm");
  const file = gpu ? "ort-wasm-simd-threaded.asyncify" : "ort-wasm-simd-threaded";
  ort.env.logLevel = "error";
  ort.env.wasm.wasmPaths = { mjs: `${FOLDER}${file}.mjs`, wasm: `${FOLDER}${file}.wasm` };
  // Threads share memory, which a browser allows to pages that are isolated from others.
  const most = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
  ort.env.wasm.numThreads = Math.min(threads || most, most);
  const session = await ort.InferenceSession.create(graph, { executionProviders: [provider], logSeverityLevel: 3 });
  const look = async ({ width, height, data }) => {
    const outputs = await session.run({ image: new ort.Tensor("uint8", data, [1, 3, height, width]) });
    const score = outputs.score.data[0];
    if (!(score > 0)) return null;
    const { data: masks, dims } = outputs.masks;
    const agreement = outputs.agreement ? outputs.agreement.data[0] : NaN;
    return { box: Array.from(outputs.box.data), score, masks: Float32Array.from(masks), side: dims.at(-1), agreement };
  };
  // What a device cannot run is known after the first run.
  if (gpu) await look({ width: 256, height: 256, data: new Uint8Array(3 * 256 * 256) });
  const count = ort.env.wasm.numThreads;
  return { look, name: gpu ? "WebGPU" : `WebAssembly, ${count} ${count === 1 ? "thread" : "threads"}` };
}

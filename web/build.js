// Bundles the page into a folder that already holds model.onnx and model.json: node build.js FOLDER

import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { build } from "esbuild";

const here = import.meta.dirname;
const folder = resolve(process.argv[2] ?? join(here, "dist"));
const MODEL = ["model.json", "model.onnx"];
const ENGINES = ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"]; // WebAssembly's, WebGPU's

for (const name of MODEL) {
  if (!existsSync(join(folder, name))) {
    console.error(`${join(folder, name)} is missing: fundus web --build writes it`);
    process.exit(1);
  }
}
for (const name of readdirSync(folder)) {
  if (/\.(js|css)$/.test(name)) rmSync(join(folder, name)); // of an earlier build
}
await build({
  entryPoints: ["page", "worker"].map((name) => join(here, "src", `${name}.js`)),
  outdir: folder,
  bundle: true,
  splitting: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["onnxruntime-web-use-extern-wasm"], // its WebAssembly stays in files of its own
  logLevel: "warning",
});
for (const name of ["index.html", "style.css", "icon.svg", "manifest.webmanifest"]) {
  copyFileSync(join(here, "src", name), join(folder, name));
}
mkdirSync(join(folder, "ort"), { recursive: true });
const runtime = join(here, "node_modules", "onnxruntime-web");
for (const name of ENGINES.flatMap((x) => [`${x}.mjs`, `${x}.wasm`])) {
  copyFileSync(join(runtime, "dist", name), join(folder, "ort", name));
}

const shell = readdirSync(folder).filter((name) => /\.(js|css|html|svg|webmanifest|json|onnx)$/.test(name));
const files = [...shell, ...readdirSync(join(folder, "ort")).map((name) => `ort/${name}`)].sort();
const hash = createHash("sha256");
for (const name of [...files, join(here, "src", "sw.js")]) hash.update(readFileSync(resolve(folder, name)));
const worker = readFileSync(join(here, "src", "sw.js"), "utf8")
  .replace("__VERSION__", hash.digest("hex").slice(0, 12))
  .replace("[/* FILES */]", JSON.stringify(files.filter((name) => name !== "sw.js")));
writeFileSync(join(folder, "sw.js"), worker);
console.log(`${folder}: ${files.length + 1} files`);

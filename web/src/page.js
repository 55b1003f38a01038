// The page: photographs in, a worker at work on them one by one, the list and the detail, downloads.

import { createDetail } from "./detail.js";
import { $, download } from "./dom.js";
import { finish, newItem } from "./item.js";
import { createList } from "./list.js";
import { keepForOffline } from "./offline.js";
import { codedMask, greyPng } from "./png.js";
import { distinct, table } from "./table.js";
import { zip } from "./zip.js";

const items = [];
let [model, numbers, kept] = [null, 0, true]; // `kept`: no correction is lost when the page closes

const list = createList(open);
const detail = createDetail((item) => {
  kept = false;
  list.update(item);
  progress();
});
const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const wanted = new URLSearchParams(location.search);
worker.postMessage({ start: { engine: wanted.get("engine"), threads: Number(wanted.get("threads")) } });
worker.onmessage = ({ data }) => answer(data);
worker.onerror = (event) => failed(event.message || "the worker did not start");

keepForOffline((renew) => {
  $("renew").hidden = false;
  $("renew").onclick = renew;
}).catch((error) => console.info(`not kept for offline: ${error.message}`));

$("files").addEventListener("change", () => {
  add($("files").files);
  $("files").value = "";
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").toggleAttribute("data-over", name === "dragover");
    if (name === "drop") add(event.dataTransfer.files);
  });
}
$("download-table").addEventListener("click", () => {
  const done = finished();
  const names = distinct(done.map((x) => x.name));
  download("fundus.csv", table(done.map((x, i) => ({ ...x, name: names[i] })), model), "text/csv");
  kept = true;
});
$("download-masks").addEventListener("click", async () => {
  const done = finished();
  const names = distinct(done.map(maskName));
  const files = [];
  for (const [i, item] of done.entries()) files.push({ name: names[i], data: await maskFile(item) });
  download("fundus_masks.zip", zip(files), "application/zip");
  kept = true;
});
$("download-mask").addEventListener("click", async () => {
  const item = detail.shown();
  download(maskName(item), await maskFile(item), "image/png");
});
$("clear").addEventListener("click", () => {
  if (!kept && !confirm("Corrections that were not downloaded will be lost.")) return;
  kept = true;
  items.length = 0;
  list.clear();
  detail.close();
  progress();
});
window.addEventListener("beforeunload", (event) => {
  if (!kept) event.preventDefault();
});

function add(files) {
  for (const file of files) {
    const item = newItem(++numbers, file);
    items.push(item);
    list.add(item);
  }
  next();
  progress();
}

/** Give the worker the next photograph, unless it has one. */
function next() {
  if (!model || items.some((x) => x.state === "working")) return;
  const item = items.find((x) => x.state === "waiting");
  if (!item) return;
  item.state = "working";
  list.update(item);
  worker.postMessage({ id: item.id, file: item.file });
}

function answer({ ready, failed: reason, id, result, error }) {
  if (reason) return failed(reason);
  if (ready) {
    model = ready.model;
    $("engine").dataset.state = "ready";
    $("engine-text").textContent = `Ready · ${ready.engine}`;
    $("model").textContent = `Version ${model.version}, weights ${model.sha256.slice(0, 12)}`;
  }
  const item = items.find((x) => x.id === id);
  if (item && error) Object.assign(item, { state: "failed", error });
  else if (item) finish(item, result);
  if (item) list.update(item);
  if (item?.state === "done" && !detail.shown()) open(item);
  next();
  progress();
}

function failed(reason) {
  $("engine").dataset.state = "failed";
  $("engine-text").textContent = `Did not start: ${reason}`;
}

function open(item) {
  list.select(item);
  detail.open(item).catch((error) => console.error(error));
}

function progress() {
  const [all, done] = [items.length, items.filter((x) => x.state === "done" || x.state === "failed").length];
  $("main").toggleAttribute("data-empty", !all);
  $("list").hidden = !all;
  const flagged = finished().filter((x) => x.prediction.flags.length && !x.corrected).length;
  const doubted = flagged ? `, ${flagged} with doubts` : "";
  $("progress").textContent = done < all ? `${done} of ${all} done` : `${all} photograph${all === 1 ? "" : "s"}${doubted}`;
  for (const name of ["download-table", "download-masks"]) $(name).disabled = !finished().length;
}

function finished() {
  return items.filter((x) => x.state === "done");
}

/** As overlays are called, so that a.jpg and a.png are told apart. */
function maskName(item) {
  return `${item.name.replace(/\.([^.]*)$/, "_$1")}.png`;
}

function maskFile(item) {
  return greyPng(codedMask(item.disc, item.cup, item.size), item.size);
}

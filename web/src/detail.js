// One photograph: its measures and doubts, the viewer and its tools.

import { $, element } from "./dom.js";
import { reset, STRUCTURES, undo } from "./item.js";
import { bounds } from "./masks.js";
import { createViewer } from "./viewer.js";
import { doubts, interval, ratio } from "./words.js";

const HINTS = {
  "": "Scroll or pinch to zoom, drag to move. To correct an outline, choose Disc or Cup.",
  edit: "Drag a point, or the line to move all of it. Or press Tab to come to a point, and move it with the arrow keys.",
};

/** @param {(item) => void} changed called as a correction changes the photograph's measures. */
export function createDetail(changed) {
  let item = null;
  const viewer = createViewer((edited) => {
    update();
    changed(edited);
  });
  const choices = [...document.querySelectorAll("[name=correct]")];

  for (const choice of choices) choice.addEventListener("change", () => edit(choice.value));
  for (const name of STRUCTURES) $(`show-${name}`).addEventListener("change", viewer.draw);
  $("zoom-in").addEventListener("click", () => viewer.zoom(1.5));
  $("zoom-out").addEventListener("click", () => viewer.zoom(1 / 1.5));
  $("to-disc").addEventListener("click", viewer.toDisc);
  $("to-whole").addEventListener("click", viewer.toWhole);
  $("undo").addEventListener("click", () => step(undo));
  $("reset").addEventListener("click", () => step(reset));
  document.addEventListener("keydown", (event) => {
    if (item?.history.length && event.key === "z" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      step(undo);
    }
  });

  function step(change) {
    change(item);
    const { value } = choices.find((x) => x.checked);
    edit(value && bounds(item[value]) ? value : ""); // an outline that was undone is not begun anew
    update();
    changed(item);
  }

  /** Put points on "disc", "cup" or nothing. */
  function edit(name) {
    for (const choice of choices) choice.checked = choice.value === name;
    if (name) $(`show-${name}`).checked = true;
    $("hint").textContent = HINTS[name ? "edit" : ""];
    viewer.edit(name);
  }

  function open(next) {
    item = next;
    $("detail").hidden = false;
    for (const name of STRUCTURES) $(`show-${name}`).checked = true;
    for (const choice of choices) choice.checked = choice.value === "";
    $("hint").textContent = HINTS[""];
    update();
    return viewer.show(item);
  }

  function close() {
    item = null;
    viewer.close();
    $("detail").hidden = true;
  }

  function update() {
    const { size, seconds, prediction, corrected } = item;
    $("detail-name").textContent = item.name;
    $("detail-name").title = item.name;
    const agreement = Number.isFinite(prediction.agreement) ? ` · agreement ${prediction.agreement.toFixed(2)}` : "";
    $("detail-facts").textContent = `${size.width} × ${size.height} pixels · ${seconds.toFixed(1)} s${agreement}`;
    $("vcdr").textContent = ratio(item.vcdr);
    $("vcdr-interval").textContent = interval(item.interval);
    const [low, high] = item.interval.map((x) => 100 * x);
    $("scale-interval").setAttribute("x", Number.isFinite(low) ? low : 0);
    $("scale-interval").setAttribute("width", Number.isFinite(low) ? high - low : 0);
    $("scale-value").setAttribute("x", Number.isFinite(item.vcdr) ? 99.3 * item.vcdr : -10);
    const told = doubts(item).map(({ text, kind }) =>
      element("li", {}, element("span", { className: `chip ${kind}`, textContent: text })),
    );
    $("doubts").replaceChildren(...told);
    $("undo").disabled = !item.history.length;
    $("reset").disabled = !corrected;
  }

  return { open, close, shown: () => item };
}

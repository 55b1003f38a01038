// The list: a row for each photograph, with the disc's picture, the ratio, doubts and seconds.

import { $, element } from "./dom.js";
import { STRUCTURES } from "./item.js";
import { evenContour } from "./outline.js";
import { doubts, interval, ratio } from "./words.js";

const COLORS = { disc: "#42e0a4", cup: "#ffd34d" };
const PICTURE = 112; // pixels, for 56 of the page's

/** @param {(item) => void} open what a click on a row does. */
export function createList(open) {
  const rows = new Map();

  function add(item) {
    const picture = element("span", { className: "waiting" });
    const about = element("small");
    const button = element("button", { type: "button" }, element("span", { textContent: item.name, title: item.name }), about);
    const cells = [element("td", {}, element("div", { className: "name" }, picture, button))];
    cells.push(element("td"), element("td"), element("td", { className: "number" }));
    const row = element("tr", {}, ...cells);
    row.addEventListener("click", () => item.state === "done" && open(item));
    $("rows").append(row);
    rows.set(item, { row, picture, button, about, cells });
    update(item);
  }

  function update(item) {
    const { row, picture, button, about, cells } = rows.get(item);
    row.dataset.state = item.state;
    button.disabled = item.state !== "done";
    const waiting = { waiting: "waits", working: "looking…", failed: "not read" }[item.state];
    about.textContent = waiting ?? `${item.size.width} × ${item.size.height}`;
    const told = doubts(item).map(({ text, kind }) => element("span", { className: `chip ${kind}`, textContent: text }));
    cells[2].replaceChildren(...told);
    if (item.state !== "done") return;
    if (!told.length) cells[2].append(element("span", { className: "none", textContent: "none" }));
    const value = element("span", { className: "ratio", textContent: ratio(item.vcdr) });
    cells[1].replaceChildren(
      value, element("span", { className: "ratio-interval", textContent: interval(item.interval) }),
    );
    cells[3].textContent = item.seconds.toFixed(1);
    rows.get(item).picture = draw(item, picture);
  }

  function select(item) {
    for (const [other, { row }] of rows) row.toggleAttribute("aria-current", other === item);
    rows.get(item)?.row.setAttribute("aria-current", "true");
  }

  function clear() {
    rows.clear();
    $("rows").replaceChildren();
  }

  return { add, update, select, clear };
}

/** The small picture of the disc with both outlines, in place of what was there. */
function draw(item, before) {
  const canvas = before instanceof HTMLCanvasElement ? before : element("canvas", { width: PICTURE, height: PICTURE });
  if (canvas !== before) before.replaceWith(canvas);
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  const { bitmap, left, top, side } = item.closeUp;
  context.drawImage(bitmap, 0, 0, PICTURE, PICTURE);
  context.lineWidth = 2.5;
  for (const structure of STRUCTURES) {
    context.strokeStyle = COLORS[structure];
    context.beginPath();
    for (const [x, y] of evenContour(item[structure])) {
      context.lineTo(((x - left) / side) * PICTURE, ((y - top) / side) * PICTURE);
    }
    context.closePath();
    context.stroke();
  }
  return canvas;
}

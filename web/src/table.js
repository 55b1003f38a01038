// The table of all photographs, as text with commas: `fundus predict`'s columns and some of the page's own.

import { area } from "./masks.js";

export const COLUMNS = [
  "file_name", "width", "height", "flagged", "reason", "vcdr", "vcdr_low", "vcdr_high", "agreement", "ellipse",
  "score", "disc_pixels", "cup_pixels", "corrected", "seconds", "version", "weights",
];

/**
 * @param items {name, size, prediction, disc, cup, vcdr, interval, corrected, seconds} each; disc, cup, vcdr and
 *   interval as they are after corrections.
 * @param model {version, sha256}
 */
export function table(items, model) {
  const rows = items.map((x) => {
    const { flags, agreement, ellipse, score } = x.prediction;
    const measured = [x.vcdr, ...x.interval, agreement, ellipse, score].map(number);
    return [
      x.name, x.size.width, x.size.height, flags.length ? 1 : 0, flags.join("; "), ...measured, area(x.disc),
      area(x.cup), x.corrected ? 1 : 0, x.seconds.toFixed(2), model.version, model.sha256.slice(0, 12),
    ];
  });
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function number(value) {
  return Number.isFinite(value) ? value.toFixed(4) : "nan";
}

function cell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Names of which none is another's, by a number behind those that are. */
export function distinct(names) {
  const taken = new Set();
  return names.map((name) => {
    const dot = name.lastIndexOf(".") > 0 ? name.lastIndexOf(".") : name.length;
    let given = name;
    for (let i = 2; taken.has(given); i++) given = `${name.slice(0, dot)} (${i})${name.slice(dot)}`;
    taken.add(given);
    return given;
  });
}

// The measures of an eye, each with its unit; millimetres where the photograph's scale is known.

const SIZES = [
  ["Height", "height", "vcdr", 1],
  ["Width", "width", "hcdr", 1],
  ["Area", "area", "acdr", 2],
];

function sizesTable(eye) {
  const rows = SIZES.map(([title, name, share, power]) => {
    const size = (structure) =>
      sizeCell(measured(eye, `${structure}_${name}`), millimetres(eye, `${structure}_${name}`), power);
    const limits = name === "height" ? interval(eye.vcdr_low, eye.vcdr_high) : "";
    const value = element(
      "td",
      { class: "number" },
      ratio(measured(eye, share)),
      limits && vcdrOf(eye) !== null ? element("small", {}, limits) : null,
    );
    return element("tr", {}, element("th", { scope: "row" }, title), size("disc"), size("cup"), value);
  });
  const heads = ["", "Disc", "Cup", "Cup / disc"].map((text) =>
    text ? element("th", { scope: "col", class: "number" }, text) : element("td"),
  );
  return element(
    "table",
    { class: "measures" },
    element("thead", {}, element("tr", {}, ...heads)),
    element("tbody", {}, ...rows),
  );
}

function sizeCell(pixels, mm, power) {
  const square = power === 2 ? "²" : "";
  return element(
    "td",
    { class: "number" },
    withUnit(whole(pixels), `px${square}`),
    mm === null ? null : element("small", {}, withUnit(mm.toFixed(2), `mm${square}`)),
  );
}

/** In millimetres; null where the scale is not known. */
function millimetres(eye, name) {
  const value = measured(eye, `${name}_mm`) ?? measured(eye, `${name}_mm2`);
  return isNumber(value) ? value : null;
}

function scaleWords(eye) {
  if (!isNumber(eye.mm_per_pixel)) return "No millimetres: the photograph's scale is not known.";
  const source = eye.scale_source ? ` The scale comes from: ${eye.scale_source}.` : "";
  return `One pixel is ${(eye.mm_per_pixel * 1000).toFixed(1)} µm.${source}`;
}

/** Names and values of the rest. */
function otherMeasures(eye) {
  const angle = measured(eye, "rim_narrowest_angle");
  const where = isNumber(angle) ? `, ${direction(angle, eye)} (${whole(angle)}°)` : "";
  const narrowest = ratio(measured(eye, "rim_narrowest"));
  return [
    ["Narrowest rim", narrowest === MISSING ? MISSING : `${narrowest} of the disc's diameter there${where}`],
    ["ISNT rule holds", yesNo(measured(eye, "isnt"))],
    ["DDLS stage", whole(measured(eye, "ddls"))],
    ["Short over long axis of the disc", ratio(measured(eye, "disc_tilt"))],
    ["Direction of its long axis", degrees(measured(eye, "disc_orientation"))],
    ["Gradability", ratio(eye.gradability)],
  ];
}

function degrees(value) {
  return isNumber(value) ? `${whole(value)}°` : MISSING;
}

/** Names and values of where all this comes from. */
function origins(eye) {
  const size = isNumber(eye.width) && isNumber(eye.height) ? `${whole(eye.width)} × ${whole(eye.height)} px` : MISSING;
  return [
    ["File", eye.path || MISSING],
    ["Photograph", size],
    ["Time", isNumber(eye.seconds) ? withUnit(eye.seconds.toFixed(1), "s") : MISSING],
    ["Weights", eye.weights || MISSING],
    ["Version", eye.version || MISSING],
  ];
}

function pairs(list) {
  return element(
    "dl",
    { class: "pairs" },
    ...list.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text))),
  );
}

// What is said of an eye beside its picture: the ratio first, then how sure, then why not.

function showFacts(eye, details) {
  $("facts").replaceChildren(
    ...[
      verdict(eye, details),
      doubtsOf(eye),
      gradeOf(eye),
      rimOf(eye, details),
      measuresOf(eye),
      originsOf(eye),
    ].filter(Boolean),
  );
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function verdict(eye, { compared }) {
  const value = vcdrOf(eye);
  const made = element("section", { class: "verdict", "aria-label": "Vertical cup-to-disc ratio" });
  if (value === null) {
    const words = { ungradable: "Ungradable", "no disc": "No disc found", "no cup": "No cup found", failed: "Failed" };
    const instead = words[eye.status] ?? "Not measured";
    made.append(element("p", { class: "instead" }, instead));
    if (eye.status === "failed") made.append(element("p", { class: "error" }, eye.error || "It could not be read."));
    if (eye.status === "ungradable") made.append(element("p", { class: "soft" }, eye.reasons[0] ?? ""));
    return made;
  }
  const limits = interval(eye.vcdr_low, eye.vcdr_high);
  made.append(
    element(
      "p",
      { class: "big" },
      element("span", { class: "big-name" }, "vCDR"),
      element("output", { id: "vcdr" }, ratio(value)),
      element("span", { class: "soft" }, limits ? `interval ${limits}` : "no interval"),
    ),
    ratioScale(value, eye, compared),
    element("p", { class: "sure soft" }, ...sureness(eye).map((text) => element("span", {}, text))),
  );
  if (eye.outlines === "person") made.append(element("p", { class: "person" }, "The outlines are a person's."));
  if (compared) {
    made.append(
      element("p", { id: "compared" }, `The model's vCDR is ${ratio(compared.vcdr)}${apart(value, compared.vcdr)}.`),
    );
  }
  return made;
}

/** What else tells how sure the outlines are; agreement and score are of a model's. */
function sureness(eye) {
  const model = [
    ["gradability", eye.gradability],
    ["agreement", eye.agreement],
    ["score", eye.score],
  ];
  const all = [["likeness to an ellipse", eye.ellipse], ...(eye.outlines === "person" ? [] : model)];
  return all.filter(([, value]) => isNumber(value)).map(([name, value]) => `${name} ${ratio(value)}`);
}

/** How far a person's ratio is from the model's. */
function apart(person, model) {
  if (!isNumber(model)) return "";
  const difference = shownRatio(person) - shownRatio(model);
  const far = ratio(Math.abs(difference));
  return far === "0.00" ? ", the same" : `; the person's is ${far} ${difference < 0 ? "lower" : "higher"}`;
}

/** A line from 0 to 1 with the interval and the value, and the model's where a person's comes first. */
function ratioScale(value, eye, compared) {
  const x = (share) => 200 * between(share, 0, 1);
  const svg = shape("svg", {
    class: "scale",
    viewBox: "0 0 200 12",
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  svg.append(shape("rect", { class: "scale-track", x: 0, y: 5, width: 200, height: 2 }));
  if (interval(eye.vcdr_low, eye.vcdr_high)) {
    const width = Math.max(x(eye.vcdr_high) - x(eye.vcdr_low), 1);
    svg.append(shape("rect", { class: "scale-interval", x: x(eye.vcdr_low), y: 3, width, height: 6 }));
  }
  if (isNumber(compared?.vcdr))
    svg.append(shape("rect", { class: "scale-model", x: x(compared.vcdr) - 0.5, y: 1, width: 1, height: 10 }));
  svg.append(shape("rect", { class: "scale-value", x: x(value) - 0.75, y: 0, width: 1.5, height: 12 }));
  return svg;
}

function doubtsOf(eye) {
  const sentences = eye.reasons.map((reason) => SENTENCES[reason]);
  if (eye.flagged && !sentences.length) sentences.push("Someone should look at this eye.");
  if (!sentences.length)
    return eye.status === "measured" ? element("p", { class: "no-doubts soft" }, "No doubts.") : null;
  return element(
    "ul",
    { class: "doubts", "aria-label": "Doubts" },
    ...sentences.map((text) => element("li", {}, text)),
  );
}

function gradeOf({ grade }) {
  if (!grade?.name) return null;
  const list = Object.entries(grade.probabilities ?? {}).filter(([, share]) => isNumber(share));
  const rows = list.map(([name, share]) =>
    element("li", {}, element("span", {}, name), bar(share), element("span", { class: "number" }, ratio(share))),
  );
  return section(
    "Grade",
    element("p", { class: "grade" }, grade.name),
    rows.length ? element("ul", { class: "shares", "aria-label": "Probabilities" }, ...rows) : null,
    rows.length ? element("p", { class: "soft" }, "Probabilities as if every grade were as frequent.") : null,
    grade.screening ? element("p", { class: "soft" }, screened(grade.screening)) : null,
  );
}

function screened(screening) {
  const passed = ["95", "85"].find((name) => screening[name]);
  return passed
    ? `More suspect than ${passed} of 100 normal eyes of the validation.`
    : "Within 85 of 100 normal eyes of the validation.";
}

function bar(share) {
  return shape(
    "svg",
    { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    shape("rect", { class: "meter-track", width: 100, height: 6 }),
    shape("rect", { class: "meter-fill", width: 100 * between(share, 0, 1), height: 6 }),
  );
}

function rimOf(eye, { rim_profile: profile }) {
  const plot = vcdrOf(eye) === null ? null : profilePlot(eye, profile);
  if (!plot) return null;
  const unknown = EYES[eye.eye] ? "" : " The eye's side is not known, so left and right are the picture's.";
  return section(
    "Rim",
    plot,
    element(
      "p",
      { class: "soft" },
      `Width in vertical disc diameters. ▲ where the rim is narrowest for the disc's diameter.${unknown}`,
    ),
  );
}

function measuresOf(eye) {
  if (eye.status !== "measured") return null;
  return section(
    "Measures",
    sizesTable(eye),
    element("p", { class: "soft" }, scaleWords(eye)),
    pairs(otherMeasures(eye)),
  );
}

function originsOf(eye) {
  return section("Photograph", pairs(origins(eye)));
}

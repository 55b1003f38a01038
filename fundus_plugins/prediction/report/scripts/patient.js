// The eyes of one patient side by side, the right eye on the left, as it is for who faces the patient.

const BY_PATIENT = new Map();
for (const eye of EYE_LIST) {
  if (eye.patient) BY_PATIENT.set(personOf(eye), [...(BY_PATIENT.get(personOf(eye)) ?? []), eye]);
}

/** What tells patients apart: one that a file's name tells is of its folder alone. */
function personOf(eye) {
  const named = eye.patient_source === "name";
  return JSON.stringify([eye.patient, named, named ? eye.path.replace(/[^/\\]*$/, "") : ""]);
}

/** Show the patient's eyes, where there is more than this one. */
function showPatient(current) {
  const eyes = BY_PATIENT.get(personOf(current)) ?? [];
  $("patient").hidden = eyes.length < 2;
  if (eyes.length < 2) return $("patient").replaceChildren();
  const of = (side) => eyes.filter((eye) => eye.eye === side);
  const unknown = eyes.filter((eye) => !EYES[eye.eye]);
  const columns = [
    ["OD", EYES.OD, of("OD")],
    ["OS", EYES.OS, of("OS")],
  ].filter(([, , list]) => list.length || !unknown.length);
  if (unknown.length) columns.push(["", "Eye not known", unknown]);
  $("patient").replaceChildren(
    element("h3", {}, patientWords(current)),
    element("div", { class: "both" }, ...columns.map(([side, title, list]) => column(side, title, list, current))),
    element("p", { class: "asymmetry" }, ...asymmetry(of("OD"), of("OS"))),
  );
}

function column(side, title, eyes, current) {
  const none = eyes.length ? null : element("p", { class: "soft" }, "No photograph");
  return element(
    "div",
    { class: "of-eye", "data-side": side },
    element("h4", {}, title),
    none,
    ...eyes.map((eye) => small(eye, current)),
  );
}

function small(eye, current) {
  const value = vcdrOf(eye);
  const text = element(
    "span",
    { class: "small-text" },
    value === null
      ? element("span", { class: "soft" }, insteadOfRatio(eye) || MISSING)
      : element("strong", { class: "ratio" }, element("span", { class: "unseen" }, "vCDR "), ratio(value)),
    element("small", {}, value === null ? "" : interval(eye.vcdr_low, eye.vcdr_high)),
    element("small", {}, `narrowest rim ${ratio(measured(eye, "rim_narrowest"))}`),
    eye.flagged ? element("span", { class: "chip doubt" }, "doubtful") : null,
  );
  const here = eye === current ? "true" : null;
  return element(
    "a",
    { href: linkTo(eye), class: "small-eye", "aria-current": here, title: eye.id },
    thumbnail(eye),
    text,
  );
}

/** How far apart the eyes are; of several photographs of an eye the mean counts. */
function asymmetry(right, left) {
  const [a, b] = [right, left].map((eyes) => eyes.map(vcdrOf).filter(isNumber).map(shownRatio));
  if (!a.length || !b.length) return ["No asymmetry: it needs a vCDR of the right and of the left eye."];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const means = a.length + b.length > 2 ? `, of the means of ${a.length} and ${b.length} photographs` : "";
  const doubt = [...right, ...left].some((eye) => eye.flagged) ? ". One of them is doubtful" : "";
  return [
    "Difference of vCDR ",
    element("strong", { class: "ratio" }, ratio(Math.abs(mean(a) - mean(b)))),
    `${means}${doubt}.`,
  ];
}

// What stands in each column of the table, and by what it is sorted.

const COLUMNS = {
  id: { sort: (eye) => eye.id, cell: idCell },
  patient: { sort: (eye) => eye.patient, cell: (eye) => [eye.patient || MISSING] },
  eye: { sort: (eye) => eye.eye, cell: (eye) => [eye.eye || MISSING] },
  vcdr: { sort: vcdrOf, cell: vcdrCell },
  rim_narrowest: {
    sort: (eye) => measured(eye, "rim_narrowest"),
    cell: (eye) => [ratio(measured(eye, "rim_narrowest"))],
  },
  isnt: { sort: (eye) => yesNoOrder(measured(eye, "isnt")), cell: (eye) => [yesNo(measured(eye, "isnt"))] },
  ddls: { sort: (eye) => measured(eye, "ddls"), cell: (eye) => [whole(measured(eye, "ddls"))] },
  grade: { sort: (eye) => eye.grade?.name, cell: gradeCell },
  doubts: { sort: (eye) => (eye.flagged ? 1 + eye.reasons.length : 0), cell: doubtsCell },
  status: { sort: (eye) => eye.status, cell: statusCell },
};

function idCell(eye) {
  return [element("a", { href: linkTo(eye), class: "eye-link", title: eye.id }, eye.id)];
}

function vcdrCell(eye) {
  const value = vcdrOf(eye);
  if (value === null) return [element("span", { class: "soft" }, insteadOfRatio(eye) || MISSING)];
  const limits = interval(eye.vcdr_low, eye.vcdr_high);
  return [
    element("strong", { class: "ratio" }, ratio(value)),
    limits ? element("small", {}, element("span", { class: "unseen" }, "interval "), limits) : null,
  ];
}

function gradeCell({ grade }) {
  if (!grade?.name) return [MISSING];
  const share = grade.probabilities?.[grade.name];
  return [
    grade.name,
    isNumber(share) ? element("small", {}, ratio(share)) : null,
    grade.contradiction ? element("span", { class: "chip doubt" }, "contradicts") : null,
  ];
}

function doubtsCell(eye) {
  if (eye.status === "failed") return [element("span", { class: "error" }, eye.error || "It could not be read.")];
  return eye.reasons.length
    ? eye.reasons.map((reason) => element("span", { class: "chip doubt" }, reason))
    : [
        eye.flagged
          ? element("span", { class: "chip doubt" }, "doubtful")
          : element("span", { class: "soft" }, MISSING),
      ];
}

function statusCell(eye) {
  const corrected = eye.outlines === "person" ? element("span", { class: "chip person" }, "by a person") : null;
  return [element("span", { class: `status ${eye.status.replace(" ", "-")}` }, eye.status || MISSING), corrected];
}

function yesNoOrder(value) {
  return value === null ? null : Number(value);
}

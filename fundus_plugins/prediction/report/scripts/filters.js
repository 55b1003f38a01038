// Which eyes the table shows. The controls hold the choice; tiles, reasons and bars only set them.

const CONTROLS = ["search", "status", "doubt", "reason", "from", "below"];
const BARS = [...document.querySelectorAll(".bar")];
const CHOICES = [...document.querySelectorAll("[data-filter]")];

for (const eye of EYE_LIST) {
  const words = [eye.id, eye.path, eye.patient, eye.eye, eye.status, eye.error, eye.grade?.name, ...eye.reasons];
  eye.text = words.filter(Boolean).join("\n").toLowerCase();
}

/** The eyes that the controls let through. */
function filtered() {
  const [search, status, doubt, reason, from, below] = CONTROLS.map((id) => $(id).value);
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return EYE_LIST.filter((eye) => {
    if (status && eye.status !== status) return false;
    if (doubt && eye.flagged !== (doubt === "yes")) return false;
    if (reason && !eye.reasons.includes(reason)) return false;
    if (from || below) {
      const value = vcdrOf(eye);
      if (value === null) return false;
      if (from && shownRatio(value) < Number(from)) return false;
      if (below && shownRatio(value) >= Number(below)) return false;
    }
    return words.every((word) => eye.text.includes(word));
  });
}

/** @param {() => void} changed called as the choice changes. */
function startFilters(changed) {
  const update = () => {
    $("clear").hidden = CONTROLS.every((id) => !$(id).value);
    for (const choice of CHOICES) choice.setAttribute("aria-pressed", isChosen(choice));
    for (const bar of BARS) bar.setAttribute("aria-pressed", isRange(bar));
    changed();
  };
  $("filters").addEventListener("input", (event) => event.target.id !== "sort-by" && update());
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => setTimeout(update)); // the controls are empty after the event
  for (const choice of CHOICES) choice.addEventListener("click", () => (choose(choice), update()));
  for (const bar of BARS) {
    const chooseBar = () => (chooseRange(bar), update());
    bar.addEventListener("click", chooseBar);
    bar.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      chooseBar();
    });
  }
  update();
}

function isChosen({ dataset: { filter, value } }) {
  return filter ? $(filter).value === value : CONTROLS.every((id) => !$(id).value);
}

function choose(choice) {
  const { filter, value } = choice.dataset;
  const was = isChosen(choice);
  if (!filter || filter === "status" || filter === "doubt") for (const id of CONTROLS) $(id).value = "";
  if (filter) $(filter).value = was ? "" : value;
}

function isRange({ dataset: { low, high } }) {
  return $("from").value === low && $("below").value === high;
}

function chooseRange(bar) {
  const was = isRange(bar);
  $("from").value = was ? "" : bar.dataset.low;
  $("below").value = was ? "" : bar.dataset.high;
}

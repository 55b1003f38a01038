// One eye at a time. The address says which: a link leads to it, and going back leaves it.

const dialog = $("dialog");
let current = null;

function startDialog() {
  startViewer();
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside it
  dialog.addEventListener("close", closed);
  dialog.addEventListener("keydown", key);
  addEventListener("hashchange", follow);
  follow();
}

/** Show what the address names. */
function follow() {
  const eye = eyeOfLink(location.hash);
  if (eye) open(eye);
  else if (dialog.open) dialog.close();
}

function open(eye) {
  current = eye;
  const details = detailsOf(eye);
  $("eye-id").textContent = eye.id;
  $("eye-line").textContent = [patientWords(eye), eyeWords(eye)].filter(Boolean).join(" · ");
  const [eyes, index] = neighbours();
  $("place").textContent = `${whole(index + 1)} of ${whole(eyes.length)}`;
  $("previous").disabled = index === 0;
  $("next").disabled = index === eyes.length - 1;
  showFacts(eye, details);
  showPatient(eye);
  if (!dialog.open) {
    dialog.showModal();
    $("eye-id").focus();
  }
  dialog.scrollTop = 0;
  view(eye, details);
}

/** The eyes of the table, or all where this one is not among them, and its place. */
function neighbours() {
  const eyes = shownEyes.includes(current) ? shownEyes : EYE_LIST;
  return [eyes, eyes.indexOf(current)];
}

function step(by) {
  const [eyes, index] = neighbours();
  const eye = eyes[index + by];
  if (!eye) return;
  history.replaceState(null, "", linkTo(eye)); // going back leads to the table, not through every eye
  open(eye);
  $("said").textContent = `${eye.id}, vCDR ${ratio(vcdrOf(eye))}`;
  // A button that was disabled at the end has lost the focus, and the keys with it.
  if (!dialog.contains(document.activeElement) || document.activeElement.disabled) $("eye-id").focus();
}

function closed() {
  if (location.hash.startsWith("#eye=")) history.replaceState(null, "", location.href.split("#")[0]);
  $("body").querySelector(`[data-eye="${current.index}"] a`)?.focus();
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (viewerKey(event)) event.preventDefault();
  else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    event.preventDefault();
    step(event.key === "ArrowLeft" ? -1 : 1);
  }
}

// What the page knows of the eyes: rows of all of them, and the rest of one when it is asked for.

const { eyes: EYE_LIST, sentences: SENTENCES } = JSON.parse($("rows").textContent);
EYE_LIST.forEach((eye, index) => (eye.index = index));
const BY_ID = new Map(EYE_LIST.map((eye) => [eye.id, eye]));

/** Outlines, the rim's profile and pictures of an eye. */
function detailsOf(eye) {
  return JSON.parse($(`eye-${eye.index}`).textContent);
}

/** The vCDR of an eye that was measured; else null. */
function vcdrOf(eye) {
  return eye.status === "measured" && isNumber(eye.vcdr) ? eye.vcdr : null;
}

/** The narrowest rim and what else is measured, of an eye that was measured; else null. */
function measured(eye, name) {
  return eye.status === "measured" ? (eye[name] ?? null) : null;
}

function linkTo(eye) {
  return `#eye=${encodeURIComponent(eye.id)}`;
}

/** The eye that a link's end names; undefined where it names none. */
function eyeOfLink(hash) {
  if (!hash.startsWith("#eye=")) return undefined;
  try {
    return BY_ID.get(decodeURIComponent(hash.slice(5)));
  } catch {
    return undefined; // not what encodeURIComponent writes
  }
}

// Numbers and facts as people read them. What is missing is a dash, and no number has more digits than it is good for.

const MISSING = "–";
const EYES = { OD: "Right eye (OD)", OS: "Left eye (OS)" };
const SOURCES = {
  list: "as the list says",
  header: "as the file's header says",
  name: "as the file's name says",
  image: "judged by the picture",
};

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A ratio to two digits, as a number; a tie goes up. */
const shownRatio = (value) => Math.floor(value * 100 + 0.5) / 100;

function ratio(value) {
  return isNumber(value) ? (shownRatio(value) + 0).toFixed(2) : MISSING;
}

function whole(value) {
  return isNumber(value) ? Math.round(value).toLocaleString("en").replaceAll(",", "\u202f") : MISSING;
}

function withUnit(text, unit) {
  return text === MISSING ? MISSING : `${text}\u00a0${unit}`;
}

function interval(low, high) {
  return isNumber(low) && isNumber(high) ? `${ratio(low)}–${ratio(high)}` : "";
}

function yesNo(value) {
  return value === true ? "yes" : value === false ? "no" : MISSING;
}

function counted(number, one, many = `${one}s`) {
  return `${whole(number)} ${number === 1 ? one : many}`;
}

/** The eye's side, and how it is known. */
function eyeWords(eye) {
  if (!EYES[eye.eye]) return "Right or left eye: not known";
  const sure = eye.eye_source === "image" && isNumber(eye.eye_confidence) ? ` (${ratio(eye.eye_confidence)} sure)` : "";
  return [EYES[eye.eye], (SOURCES[eye.eye_source] ?? "") + sure].filter(Boolean).join(", ");
}

/** The names of the picture's right and left: of the eye where it is known, else of the picture. */
function sidesOf(eye) {
  if (eye.eye === "OD") return { right: "nasal", left: "temporal" };
  if (eye.eye === "OS") return { right: "temporal", left: "nasal" };
  return { right: "right", left: "left" };
}

/** Where an angle points, in words: degrees counterclockwise from the picture's right. */
function direction(angle, eye) {
  const { right, left } = sidesOf(eye);
  const eighths = [right, `superior ${right}`, "superior", `superior ${left}`];
  eighths.push(left, `inferior ${left}`, "inferior", `inferior ${right}`);
  return eighths[((Math.round(angle / 45) % 8) + 8) % 8];
}

const NAMED_BY = { name: ", as the files' names say", "list, unlike the header": ", as the list says, unlike the header" };

/** The patient, and where from where that is a guess, or contradicted. */
function patientWords(eye) {
  return eye.patient && `Patient ${eye.patient}${NAMED_BY[eye.patient_source] ?? ""}`;
}

/** What stands instead of a vCDR where there is none. */
function insteadOfRatio(eye) {
  if (eye.status === "ungradable") return eye.reasons[0] ?? "ungradable";
  return ["no disc", "no cup", "failed"].includes(eye.status) ? eye.status : "";
}

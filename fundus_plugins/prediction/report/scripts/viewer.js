// The photograph with its outlines, at any size: wheel, fingers, buttons and keys.

const CLOSEST = 16; // of the page's pixels for one of the photograph's
const STEP = 1.4;
const viewer = { size: [0, 0], close: null, scale: 1, x: 0, y: 0, seen: [0, 0] };
const fingers = new Map();

function startViewer() {
  new ResizeObserver(resized).observe($("viewer"));
  const box = $("viewer");
  box.addEventListener("wheel", wheel, { passive: false });
  box.addEventListener("pointerdown", press);
  box.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"])
    box.addEventListener(name, (event) => fingers.delete(event.pointerId));
  $("zoom-in").addEventListener("click", () => zoom(STEP));
  $("zoom-out").addEventListener("click", () => zoom(1 / STEP));
  $("to-disc").addEventListener("click", toDisc);
  $("to-whole").addEventListener("click", toWhole);
  for (const layer of ["disc", "cup", "model", "cam"]) $(`show-${layer}`).addEventListener("change", showLayers);
}

/** Show an eye: its disc, or the whole photograph where no disc is known. */
function view(eye, { pictures, contours, compared, disc_box: box }) {
  const around = boxAbout([...contours.disc, ...contours.cup]);
  viewer.close = box ? [box[0] - 0.5, box[1] - 0.5, box[2] - 0.5, box[3] - 0.5] : around && widened(around);
  viewer.size = [eye.width, eye.height];
  if (!(eye.width > 0 && eye.height > 0))
    viewer.size = viewer.close ? [viewer.close[2], viewer.close[3]] : [1000, 1000];
  const everything = [-0.5, -0.5, ...viewer.size];
  const photograph = pictures.photograph ?? (viewer.close ? null : pictures.disc);
  $("layer-photograph").replaceChildren(...image(photograph, everything));
  if (box)
    $("layer-photograph").append(
      ...image(pictures.disc, [box[0] - 0.5, box[1] - 0.5, box[2] - box[0], box[3] - box[1]]),
    );
  if (box) $("layer-cam").replaceChildren(...image(pictures.cam, [box[0] - 0.5, box[1] - 0.5, box[2] - box[0], box[3] - box[1]]));
  else $("layer-cam").replaceChildren();
  $("layer-disc").replaceChildren(...outlineOf(contours.disc, "disc"), ...narrowestMark(eye, contours));
  $("layer-cup").replaceChildren(...outlineOf(contours.cup, "cup"));
  const model = compared?.contours ?? {};
  $("layer-model").replaceChildren(
    ...outlineOf(model.disc, "disc", "dashed"),
    ...outlineOf(model.cup, "cup", "dashed"),
  );
  $("show-model").parentElement.hidden = !compared;
  $("show-cam").parentElement.hidden = !pictures.cam;
  for (const name of ["disc", "cup"]) $(`show-${name}`).parentElement.hidden = !contours[name].length;
  document.querySelector(".layers").hidden = !(around || compared || pictures.cam);
  $("no-picture").hidden = Boolean(photograph || pictures.disc);
  const drawn = [contours.disc.length && "disc", contours.cup.length && "cup"].filter(Boolean).join(" and ");
  $("picture-words").textContent =
    `Photograph ${eye.id}${drawn ? `, with the outlines of ${drawn}` : ", without outlines"}`;
  const sides = sidesOf(eye);
  for (const side of ["left", "right"]) $(`side-${side}`).textContent = sides[side] === side ? "" : sides[side];
  $("to-disc").hidden = $("to-whole").hidden = !viewer.close;
  showLayers();
  if (viewer.close) toDisc();
  else toWhole();
}

function image(url, [x, y, width, height]) {
  return url ? [shape("image", { href: url, x, y, width, height, preserveAspectRatio: "none" })] : [];
}

/** A mark outside the disc, where its rim is narrowest. */
function narrowestMark(eye, contours) {
  const centre = centreOf(contours.disc);
  const angle = measured(eye, "rim_narrowest_angle");
  if (!centre || !isNumber(angle)) return [];
  const reach = reachAt(centre, angle);
  const [dx, dy] = [Math.cos((angle * Math.PI) / 180), -Math.sin((angle * Math.PI) / 180)];
  const ends = [1.06, 1.22].map((far) => `${centre.x + far * reach * dx} ${centre.y + far * reach * dy}`);
  const line = `M${ends.join("L")}`;
  return [shape("path", { d: line, class: "under" }), shape("path", { d: line, class: "line mark" })];
}

function widened([x0, y0, x1, y1]) {
  const more = 0.4 * Math.max(x1 - x0, y1 - y0);
  return [x0 - more, y0 - more, x1 + more, y1 + more];
}

function showLayers() {
  for (const layer of ["disc", "cup", "model", "cam"]) {
    $(`layer-${layer}`).setAttribute("visibility", $(`show-${layer}`).checked ? "visible" : "hidden");
  }
}

function toWhole() {
  frame([-0.5, -0.5, viewer.size[0] - 0.5, viewer.size[1] - 0.5], "whole");
}

function toDisc() {
  frame(viewer.close ?? [-0.5, -0.5, viewer.size[0] - 0.5, viewer.size[1] - 0.5], "disc");
}

/** Bring a box of the photograph to the middle. */
function frame([x0, y0, x1, y1], name) {
  const [across, down] = (viewer.seen = sides());
  viewer.scale = Math.min(across / (x1 - x0), down / (y1 - y0)) || 1;
  viewer.x = across / 2 - (viewer.scale * (x0 + x1)) / 2;
  viewer.y = down / 2 - (viewer.scale * (y0 + y1)) / 2;
  place(name);
}

/** Nearer or farther; what is at a point of the viewer stays there. */
function zoom(factor, x = sides()[0] / 2, y = sides()[1] / 2) {
  const least = 0.8 * Math.min(sides()[0] / viewer.size[0], sides()[1] / viewer.size[1]);
  const scale = between(viewer.scale * factor, Math.min(least, CLOSEST), CLOSEST);
  viewer.x = x - ((x - viewer.x) * scale) / viewer.scale;
  viewer.y = y - ((y - viewer.y) * scale) / viewer.scale;
  viewer.scale = scale;
  place();
}

function pan(dx, dy) {
  viewer.x += dx;
  viewer.y += dy;
  place();
}

/** Draw what is seen, `name` being what was framed; the viewer's middle stays on the photograph. */
function place(name = "") {
  const middles = sides().map((side) => side / 2);
  const [right, bottom] = viewer.size.map((side) => side * viewer.scale);
  viewer.x = between(viewer.x, middles[0] - right, middles[0]);
  viewer.y = between(viewer.y, middles[1] - bottom, middles[1]);
  // In a box of another size, as on paper, it is seen smaller or larger, and as much of it.
  $("picture").setAttribute("viewBox", `0 0 ${sides().join(" ")}`);
  $("world").setAttribute("transform", `translate(${viewer.x} ${viewer.y}) scale(${viewer.scale})`);
  for (const part of ["disc", "whole"]) $(`to-${part}`).setAttribute("aria-pressed", part === name);
  // A finger scrolls the page over a photograph that is seen whole, and moves one that is not.
  const fits = right <= sides()[0] + 1 && bottom <= sides()[1] + 1;
  $("viewer").dataset.fits = fits;
  viewer.framed = name;
}

function sides() {
  return [$("viewer").clientWidth, $("viewer").clientHeight];
}

/** What was framed is framed again; otherwise what was in the middle stays there. */
function resized() {
  const [before, now] = [viewer.seen, sides()];
  viewer.seen = now;
  if (!Math.min(...now)) return;
  if (viewer.framed === "disc") toDisc();
  else if (viewer.framed === "whole") toWhole();
  else pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
}

function wheel(event) {
  event.preventDefault();
  const { left, top } = $("viewer").getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - left, event.clientY - top);
}

function press(event) {
  if (event.button || event.target.closest("button")) return;
  $("viewer").setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
}

function move(event) {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const now = [event.clientX, event.clientY];
  fingers.set(event.pointerId, now);
  if (fingers.size === 1) return pan(now[0] - before[0], now[1] - before[1]);
  const [, other] = [...fingers].find(([id]) => id !== event.pointerId);
  const { left, top } = $("viewer").getBoundingClientRect();
  const apart = ([x, y]) => Math.max(Math.hypot(x - other[0], y - other[1]), 1);
  zoom(apart(now) / apart(before), (now[0] + other[0]) / 2 - left, (now[1] + other[1]) / 2 - top);
}

/** Plus, minus, 0 and Shift with an arrow; true where the key was one of these. */
function viewerKey(event) {
  const far = 60;
  const shifts = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] };
  if (event.key === "+" || event.key === "=") zoom(STEP);
  else if (event.key === "-") zoom(1 / STEP);
  else if (event.key === "0") toWhole();
  else if (event.shiftKey && shifts[event.key]) pan(...shifts[event.key]);
  else return false;
  return true;
}

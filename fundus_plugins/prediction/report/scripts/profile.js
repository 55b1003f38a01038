// The rim's width all around, as a line from the temple over the top, the nose and the bottom back to the temple.

const PLOT = { width: 400, height: 190, left: 34, right: 8, top: 34, bottom: 22 };

/** The angles of a profile in the order in which they are drawn, and the quadrants at 0, 90, ... of these steps. */
function profileOrder(eye) {
  const steps = Array.from({ length: 37 }, (_, step) => step * 10);
  if (eye.eye === "OD") {
    // Temporal is the picture's left: over the top to the right.
    return { angles: steps.map((step) => (540 - step) % 360), names: ["temporal", "superior", "nasal", "inferior"] };
  }
  const names =
    eye.eye === "OS" ? ["temporal", "superior", "nasal", "inferior"] : ["right", "superior", "left", "inferior"];
  return { angles: steps.map((step) => step % 360), names };
}

/** The plot of an eye's profile; null without one. */
function profilePlot(eye, profile) {
  if (profile?.length !== 36 || !profile.some(isNumber)) return null;
  const { angles, names } = profileOrder(eye);
  const values = angles.map((angle) => profile[angle / 10]);
  const top = Math.max(0.3, Math.ceil(Math.max(...values.filter(isNumber)) * 10) / 10);
  const { width, height, left, right, bottom } = PLOT;
  const x = (step) => left + (step / 360) * (width - left - right);
  const y = (value) => height - bottom - (between(value, 0, top) / top) * (height - bottom - PLOT.top);
  const svg = shape("svg", { class: "profile", viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(shape("title", {}, profileWords(eye, names)));
  for (const [from, to, name] of bands(names)) {
    const band = { x: x(from), y: PLOT.top, width: x(to) - x(from), height: height - bottom - PLOT.top };
    svg.append(
      shape("rect", { ...band, class: `band ${name === "superior" || name === "inferior" ? "upright" : ""}` }),
    );
    if (to - from < 90 && from > 0) continue; // the first sector's other half has its name already
    svg.append(shape("text", { x: x((from + to) / 2), y: 14, class: "sector" }, capital(name)));
    svg.append(
      shape("text", { x: x((from + to) / 2), y: 28, class: "sector-value" }, ratio(measured(eye, `rim_${name}`))),
    );
  }
  for (let tick = 0; tick <= top + 1e-9; tick += top > 0.6 ? 0.2 : 0.1) {
    svg.append(shape("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }));
    svg.append(shape("text", { class: "tick", x: left - 6, y: y(tick) + 3.5 }, tick.toFixed(1)));
  }
  names.concat(names[0]).forEach((name, i) => {
    const anchor = i === 0 ? "start" : i === 4 ? "end" : "middle";
    const letter = eye.eye === "OD" || eye.eye === "OS" ? name[0].toUpperCase() : name;
    svg.append(shape("text", { class: "letter", x: x(i * 90), y: height - 7, "text-anchor": anchor }, letter));
  });
  svg.append(
    shape("path", {
      class: "profile-line",
      d: lineOf(values.map((value, i) => (isNumber(value) ? [x(i * 10), y(value)] : null))),
    }),
  );
  const angle = measured(eye, "rim_narrowest_angle");
  if (isNumber(angle)) {
    const step = (eye.eye === "OD" ? 540 - angle : angle + 360) % 360;
    svg.append(shape("path", { class: "profile-mark", d: `M${x(step)} ${height - bottom}l-5 7h10z` }));
  }
  return svg;
}

/** Where each sector begins and ends: 90 degrees about its middle; the first one is cut in two. */
function bands([first, second, third, fourth]) {
  return [
    [0, 45, first],
    [45, 135, second],
    [135, 225, third],
    [225, 315, fourth],
    [315, 360, first],
  ];
}

/** A line through points, broken where one is null. */
function lineOf(points) {
  return points
    .map((point, i) => (point ? `${points[i - 1] ? "L" : "M"}${point.map((v) => v.toFixed(1)).join(" ")}` : ""))
    .join("");
}

function profileWords(eye, names) {
  const means = names.map((name) => `${name} ${ratio(measured(eye, `rim_${name}`))}`).join(", ");
  const around = `from ${names[0]} over superior, ${names[2]} and inferior to ${names[0]}`;
  return `The rim's width all around, ${around}. Means in disc diameters: ${means}.`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

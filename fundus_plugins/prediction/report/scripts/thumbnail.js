// A small picture of a disc with its outlines, for the table and for both eyes side by side.

function thumbnail(eye) {
  const { pictures, contours, disc_box: box } = detailsOf(eye);
  const frame = element("span", { class: "thumbnail", "aria-hidden": "true" });
  const url = pictures.disc ?? pictures.photograph;
  if (!url) return frame;
  const picture = element("img", { src: url, alt: "", loading: "lazy", decoding: "async", width: 64, height: 64 });
  picture.addEventListener("error", () => frame.replaceChildren());
  frame.append(picture);
  if (pictures.disc && box) {
    const [x0, y0, x1, y1] = box;
    const view = { viewBox: `${x0 - 0.5} ${y0 - 0.5} ${x1 - x0} ${y1 - y0}`, preserveAspectRatio: "none" };
    frame.append(shape("svg", view, ...outlineOf(contours.disc, "disc"), ...outlineOf(contours.cup, "cup")));
  }
  return frame;
}

// The table: sorted and filtered over all eyes at once, drawn a part at a time as it is scrolled to.

const PART = 100; // rows that are drawn at once
const HEADERS = [...document.querySelectorAll("th[data-column]")];
const COLLATOR = new Intl.Collator("en", { numeric: true });
const order = { column: "", down: false };
let shownEyes = []; // in the table's order, drawn or not
let drawn = 0;

function startTable() {
  for (const header of HEADERS) {
    header.firstChild.addEventListener("click", () => sortBy(header.dataset.column));
    for (const [suffix, words] of [
      ["", ", ascending"],
      [" down", ", descending"],
    ]) {
      const option = { value: header.dataset.column + suffix };
      $("sort-by").append(element("option", option, header.textContent.trim() + words));
    }
  }
  $("sort-by").prepend(element("option", { value: "", selected: true }, "As given"));
  $("sort-by").addEventListener("change", () => {
    const [column, down] = $("sort-by").value.split(" ");
    sortBy(column, Boolean(down));
  });
  $("body").addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row && !event.target.closest("a") && !String(getSelection())) row.querySelector("a").click();
  });
  $("show-more").addEventListener("click", () => focusAfter(drawn, () => draw(drawn + PART)));
  $("show-all").addEventListener("click", () => focusAfter(drawn, () => draw(Infinity)));
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && draw(drawn + PART), {
    rootMargin: "800px",
  }).observe($("more"));
  startFilters(refresh);
}

/** Sort by a column: upwards, then downwards, or as it is said. */
function sortBy(column, down = order.column === column && !order.down) {
  Object.assign(order, { column, down });
  $("sort-by").value = column ? column + (down ? " down" : "") : "";
  for (const header of HEADERS) {
    const direction = header.dataset.column !== column ? "none" : down ? "descending" : "ascending";
    header.setAttribute("aria-sort", direction);
  }
  refresh();
}

/** Draw the beginning of what is to be shown now. */
function refresh() {
  shownEyes = sorted(filtered());
  const all = EYE_LIST.length;
  $("shown").textContent =
    shownEyes.length === all ? counted(all, "eye") : `${whole(shownEyes.length)} of ${counted(all, "eye")}`;
  $("none").hidden = shownEyes.length > 0;
  $("body").replaceChildren();
  drawn = 0;
  draw(PART);
}

/** What is missing comes last, upwards and downwards; what is equal stays in the records' order. */
function sorted(eyes) {
  if (!order.column) return eyes;
  const { sort } = COLUMNS[order.column];
  const turn = order.down ? -1 : 1;
  const keyed = eyes.map((eye) => [sort(eye) ?? "", eye]);
  keyed.sort(([a, first], [b, second]) => {
    if (a === "" || b === "") return (a === "") - (b === "") || first.index - second.index;
    return turn * (typeof a === "number" ? a - b : COLLATOR.compare(a, b)) || first.index - second.index;
  });
  return keyed.map(([, eye]) => eye);
}

/** Draw rows up to so many. */
function draw(end) {
  const rows = document.createDocumentFragment();
  for (const eye of shownEyes.slice(drawn, end)) rows.append(rowOf(eye));
  drawn = Math.min(Math.max(end, drawn), shownEyes.length);
  $("body").append(rows);
  $("more").hidden = drawn === shownEyes.length;
  $("show-more").textContent = `Show more (${whole(shownEyes.length - drawn)} left)`;
}

function rowOf(eye) {
  const cells = HEADERS.map(({ dataset: { column }, className, textContent }) => {
    const attributes = { role: "cell", class: `cell-${column} ${className}`, "data-name": textContent.trim() };
    const cell = element("td", attributes, ...COLUMNS[column].cell(eye));
    cell.classList.toggle("missing", cell.textContent === MISSING); // a phone has no room for dashes
    return cell;
  });
  const first = element("td", { role: "cell", class: "picture" }, thumbnail(eye));
  return element("tr", { role: "row", "data-eye": eye.index }, first, ...cells);
}

/** The button may be gone afterwards: the first new row is where to go on. */
function focusAfter(row, change) {
  change();
  $("body").children[row]?.querySelector("a").focus();
}

// On paper nothing can be scrolled to or opened: the table is drawn to its end, unless an eye is printed.

const aboutRun = document.querySelector("details.about");
let wasOpen = false;

function startPrint() {
  addEventListener("beforeprint", prepare);
  addEventListener("afterprint", () => aboutRun && (aboutRun.open = wasOpen));
  matchMedia("print").addEventListener("change", (print) => print.matches && prepare());
}

function prepare() {
  if (dialog.open) return;
  draw(Infinity);
  for (const picture of document.querySelectorAll("#body img")) picture.loading = "eager";
  if (!aboutRun) return;
  wasOpen = aboutRun.open;
  aboutRun.open = true;
}

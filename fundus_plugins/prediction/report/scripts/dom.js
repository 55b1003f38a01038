// Small helpers for the document. Texts become text nodes: nothing that a record says is ever read as HTML.

const $ = (id) => document.getElementById(id);

/** An element with attributes and children; a child that is null is left out. */
function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
function shape(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function between(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

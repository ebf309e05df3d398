// What the pages of all widgets share. It stands before the script of each: there is no build.

const number = new Intl.NumberFormat();
const wholeDate = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** Octets in powers of a thousand: "512 B", "1.2 kB", "34 MB". */
function humanSize(octets) {
  let value = octets;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 999.5 || unit === "GB") {
      return `${value < 9.95 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    }
    value /= 1000;
  }
}

/** Local time, and in full with UTC behind it; empty for what is no date. */
function localDate(seconds) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return ["", ""];
  const two = (n) => String(n).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const utc = date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
  return [`${day} ${two(date.getHours())}:${two(date.getMinutes())}`, `${wholeDate.format(date)}\n${utc}`];
}

const counted = (n, thing) => `${number.format(n)} ${thing}${n === 1 ? "" : "s"}`;

async function unpacked(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

const octets = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

function element(tag, className, attributes = {}) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/**
 * Keep the keys pressed in an element from the notebook, where "x" cuts a cell; returns what ends it.
 *
 * JupyterLab listens behind the element, Notebook 7 in front of it. What Notebook 7 asks for is an attribute, but
 * its selectors for "whatever has the focus" match before a parent's is seen: the focused one must have it itself.
 */
function keepKeys(root) {
  const names = ["keydown", "keyup", "keypress"];
  const stop = (event) => event.stopPropagation();
  const suppress = (each) => each.setAttribute("data-lm-suppress-shortcuts", "true");
  const focused = (event) => suppress(event.target);
  suppress(root);
  if (root.contains(document.activeElement)) suppress(document.activeElement);
  root.addEventListener("focusin", focused);
  for (const name of names) root.addEventListener(name, stop);
  return () => {
    root.removeEventListener("focusin", focused);
    for (const name of names) root.removeEventListener(name, stop);
  };
}

/** What anywidget runs: one store for the model in the kernel, and a view for each place where it is shown. */
function widgetOf(Store, View) {
  let store;
  return {
    initialize({ model }) {
      store = new Store(model);
    },
    render({ el }) {
      const view = new View(store, el);
      return () => view.remove();
    },
  };
}

// The list of messages, after page.js. `Store` is what a page knows of one list, `View` one picture of it.
// Rows come once, as deflated columns, and are sorted, filtered and scrolled here: a busy kernel stops none of
// that. What a mail says becomes text nodes, never markup.

const OVERSCAN = 8; // rows drawn beyond both edges
const SETTLED = 80; // milliseconds without another change before the kernel is told

const COLUMNS = [
  { id: "mark", title: "Mark" },
  { id: "from", title: "From", sort: true },
  { id: "subject", title: "Subject", sort: true },
  { id: "clip", title: "Attachments", sort: true, newest: true, icon: true },
  { id: "date", title: "Date", sort: true, newest: true },
  { id: "size", title: "Size", sort: true, newest: true },
];
const DEFAULT_SORT = { column: "date", descending: true };
const PROBABLY = -1; // attachments that nobody has counted
const NO_UNIQUE_ID = "The server gives this message no unique id, so it cannot be marked";
const WAITING = "Waiting for the messages. If this stays, run the cell again: they are not stored in the notebook.";

const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });
let views = 0;

/** What is known of a mail's attachments, in words. */
function attachmentWords(known) {
  if (known === PROBABLY) return "Probably has attachments: only its headers were read";
  return known ? counted(known, "attachment") : "";
}

/** What to show of a sender. A name that looks like an address must not pass for one. */
function nameAndAddress(from) {
  const [, name, address] = /^(.*\S)\s*<([^<>]*)>$/.exec(from) ?? [];
  if (name === undefined) return [from || "(no sender)", ""];
  return name.includes("@") ? [address, ""] : [name, address];
}

function fromBits(bits, count) {
  const flags = new Uint8Array(count);
  for (let i = 0; i < count; i++) flags[i] = (bits[i >> 3] >> (i & 7)) & 1;
  return flags;
}

function toBits(flags) {
  const bits = new Uint8Array((flags.length + 7) >> 3);
  for (let i = 0; i < flags.length; i++) if (flags[i]) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

function littleEndian(order) {
  const view = new DataView(new ArrayBuffer(order.length * 4));
  order.forEach((place, i) => view.setUint32(i * 4, place, true));
  return view;
}

/** Everything the page knows of one list: rows by place, what passes the filter, selection, marks. */
class Store {
  constructor(model) {
    this.model = model;
    this.listeners = new Set();
    this.version = 0; // 0: no rows have come yet
    this.latest = 0;
    this.count = 0;
    this.sort = DEFAULT_SORT;
    this.filter = "";
    this.order = new Uint32Array(0); // places in the order shown
    this.marked = this.selected = new Uint8Array(0);
    this.active = this.anchor = -1; // places; -1: none
    this.pending = false; // the kernel has not yet answered a mark
    this.problem = "";
    model.on("msg:custom", (content, buffers) => this.receive(content, buffers));
  }

  ask() {
    if (!this.version) this.tell({ kind: "ready" });
  }

  tell(content, buffers = []) {
    try {
      this.model.send(content, undefined, buffers);
    } catch {
      // the kernel is gone: what the page knows stays on it
    }
  }

  changed() {
    for (const listener of this.listeners) listener();
  }

  async receive(content, buffers) {
    if (content.kind === "rows") {
      await this.receiveRows(content, buffers);
    } else if (content.kind === "problem") {
      this.problem = String(content.text);
    } else if (content.version !== this.version) {
      return;
    } else if (content.kind === "marked") {
      this.marked = fromBits(octets(buffers[0]), this.count);
      this.pending = false;
      this.problem = "";
    } else if (content.kind === "selection") {
      this.selected = fromBits(octets(buffers[0]), this.count);
      this.active = this.anchor = content.active;
      this.reveal = true;
    }
    this.changed();
  }

  async receiveRows(content, buffers) {
    if (content.version <= this.latest) return; // meant for another page
    this.latest = content.version;
    const columns = await unpacked(octets(buffers[0]));
    if (content.version !== this.latest) return; // newer rows came meanwhile
    const { count } = content;
    this.columns = columns;
    this.count = count;
    this.version = content.version;
    this.marked = fromBits(octets(buffers[1]), count);
    this.selected = fromBits(octets(buffers[2]), count);
    this.unmarkable = new Set(columns.unmarkable);
    this.active = this.anchor = content.active;
    this.octets = columns.size.reduce((sum, size) => sum + size, 0);
    this.pending = false;
    this.problem = "";
    this.haystack = null;
    this.sorted = null;
    this.arrange(!(content.plain && this.sort === DEFAULT_SORT && !this.filter));
  }

  /** Sort and filter; what is no longer shown is no longer selected. */
  arrange(tell = true) {
    this.sorted ??= this.sortedPlaces();
    const words = this.filter.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) {
      const { from, subject, to } = this.columns;
      this.haystack ??= from.map((name, i) => `${name}\n${subject[i]}\n${to[i]}`.toLowerCase());
      this.order = this.sorted.filter((place) => words.every((word) => this.haystack[place].includes(word)));
      const shown = new Uint8Array(this.count);
      for (const place of this.order) shown[place] = 1;
      const hidden = this.selected.some((flag, place) => flag && !shown[place]);
      if (hidden || (this.active >= 0 && !shown[this.active])) {
        this.selected = this.selected.map((flag, place) => flag & shown[place]);
        if (this.active >= 0 && !shown[this.active]) this.active = this.anchor = -1;
        this.tellSelection();
      }
    } else {
      this.order = this.sorted;
    }
    this.positions = null;
    if (tell) this.tellOrder();
    this.changed();
  }

  sortedPlaces() {
    const { column, descending } = this.sort;
    const places = Uint32Array.from({ length: this.count }, (_, i) => i);
    const { seconds, size, attachments } = this.columns;
    const up = descending ? -1 : 1;
    const numbers = (values) => (a, b) => up * (values[a] - values[b]) || a - b;
    const texts = (values) => (a, b) => up * collator.compare(values[a], values[b]) || a - b;
    if (column === "clip") return places.sort(numbers(attachments.map((known) => (known === PROBABLY ? 0.5 : known))));
    if (column === "size") return places.sort(numbers(size));
    if (column === "from") return places.sort(texts(this.columns.from.map((name) => name.replace(/^["'\s]+/, ""))));
    if (column === "subject") return places.sort(texts(this.columns.subject));
    const dated = numbers(seconds);
    const absent = (place) => seconds[place] === null;
    return places.sort((a, b) => absent(a) - absent(b) || (absent(a) ? a - b : dated(a, b)));
  }

  sortBy(column) {
    const first = COLUMNS.find(({ id }) => id === column).newest ?? false;
    const descending = this.sort.column === column ? !this.sort.descending : first;
    this.sort = column === "date" && descending ? DEFAULT_SORT : { column, descending };
    this.sorted = null;
    if (this.version) this.arrange();
  }

  filterBy(text) {
    this.filter = text.trim();
    if (this.version) this.arrange();
  }

  /** Where a place stands in the order shown; -1: it is not shown. */
  position(place) {
    if (!this.positions) {
      this.positions = new Int32Array(this.count).fill(-1);
      this.order.forEach((each, i) => { this.positions[each] = i; });
    }
    return place < 0 ? -1 : this.positions[place];
  }

  /** Move to a position in the order shown, and select: "only", "range" from the anchor, "toggle" or "keep". */
  moveTo(position, select) {
    const place = this.order[Math.max(0, Math.min(position, this.order.length - 1))];
    if (place === undefined) return;
    this.active = place;
    if (select === "toggle") this.selected[place] ^= 1;
    if (select === "only" || select === "range") this.selected.fill(0);
    if (select === "only") this.selected[place] = 1;
    const start = this.position(this.anchor);
    if (select === "range") {
      const [low, high] = [start < 0 ? position : start, this.position(place)].sort((a, b) => a - b);
      for (let i = Math.max(low, 0); i <= high; i++) this.selected[this.order[i]] = 1;
    }
    if (select === "only" || select === "toggle" || start < 0) this.anchor = place;
    this.reveal = true;
    this.tellSelection();
    this.changed();
  }

  selectAll(flag) {
    this.selected.fill(0);
    if (flag) for (const place of this.order) this.selected[place] = 1;
    this.tellSelection();
    this.changed();
  }

  /** The places that a mark would concern: the selection, or the active row when nothing is selected. */
  concerned() {
    const places = [];
    this.selected.forEach((flag, place) => { if (flag) places.push(place); });
    if (!places.length && this.active >= 0) places.push(this.active);
    return places.filter((place) => !this.unmarkable.has(place));
  }

  /** Mark, or take back when all of them are marked. The kernel decides, and answers. */
  toggle(places) {
    if (!places.length) return;
    const flags = new Uint8Array(this.count);
    for (const place of places) flags[place] = 1;
    const marked = !places.every((place) => this.marked[place]);
    this.flush();
    this.pending = true;
    this.tell({ kind: "toggle", version: this.version, marked }, [toBits(flags)]);
    this.changed();
  }

  open(place) {
    this.flush();
    this.tell({ kind: "open", version: this.version, row: place });
  }

  tellSelection() { this.later("selection"); }

  tellOrder() { this.later("order"); }

  later(what) {
    (this.untold ??= new Set()).add(what);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), SETTLED);
  }

  flush() {
    clearTimeout(this.timer);
    const { version, active } = this;
    // Two threads of the kernel may take them in: the later one counts, whichever is first.
    const turn = (this.turn = Math.max(Date.now(), (this.turn ?? 0) + 1));
    if (this.untold?.has("order")) {
      this.tell({ kind: "order", version, turn, filtered: this.filter !== "" }, [littleEndian(this.order)]);
    }
    if (this.untold?.has("selection")) {
      this.tell({ kind: "selection", version, turn, active }, [toBits(this.selected)]);
    }
    this.untold = null;
  }
}

/** One picture of a store. */
class View {
  constructor(store, el) {
    this.store = store;
    this.id = `p3f-list-${++views}`;
    this.rows = new Map(); // position in the order -> its element
    this.root = element("div", "p3f p3f-list");
    this.root.append(this.makeBar(), this.makeTable(), this.makeStatus());
    el.append(this.root);
    this.onChange = () => this.draw();
    store.listeners.add(this.onChange);
    keepKeys(this.root);
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(this.viewport);
    this.draw();
    store.ask();
  }

  remove() {
    this.store.listeners.delete(this.onChange);
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
    this.root.remove();
  }

  makeBar() {
    const bar = element("div", "p3f-bar");
    const field = element("label", "p3f-field");
    this.search = element("input", "p3f-search", {
      type: "search",
      placeholder: "Filter by sender, recipient or subject",
      "aria-label": "Filter by sender, recipient or subject",
      autocomplete: "off",
      spellcheck: "false",
    });
    field.append(this.search);
    this.search.value = this.store.filter;
    this.search.addEventListener("input", () => this.filterSoon());
    this.search.addEventListener("keydown", (event) => this.onSearchKey(event));
    this.button = element("button", "p3f-button", { type: "button" });
    this.button.addEventListener("click", () => this.store.toggle(this.store.concerned()));
    bar.append(field, this.button);
    return bar;
  }

  makeTable() {
    const table = element("div", "p3f-table");
    this.head = element("div", "p3f-head p3f-columns", { role: "row", "aria-rowindex": "1", id: `${this.id}-head` });
    this.headers = COLUMNS.map((column, i) => this.makeHeader(column, i));
    this.head.append(...this.headers);
    this.viewport = element("div", "p3f-viewport", {
      role: "grid",
      tabindex: "0",
      "aria-label": "Messages",
      "aria-multiselectable": "true",
      "aria-colcount": String(COLUMNS.length),
      "aria-owns": `${this.id}-head ${this.id}-body`,
      "aria-describedby": `${this.id}-status`,
    });
    this.body = element("div", "p3f-body", { role: "rowgroup", id: `${this.id}-body` });
    this.viewport.append(this.body);
    this.note = element("div", "p3f-note");
    this.viewport.addEventListener("scroll", () => this.drawSoon(), { passive: true });
    this.viewport.addEventListener("keydown", (event) => this.onKey(event));
    this.body.addEventListener("mousedown", (event) => this.onPress(event));
    this.body.addEventListener("click", (event) => this.onClick(event));
    this.body.addEventListener("dblclick", (event) => this.onDoubleClick(event));
    table.append(this.head, this.viewport, this.note);
    return table;
  }

  makeHeader({ id, title, sort, icon }, index) {
    const header = element("div", `p3f-cell p3f-${id}`, { role: "columnheader", "aria-colindex": String(index + 1) });
    if (sort) {
      const button = element("button", "p3f-sort", { type: "button", title: `Sort by ${title.toLowerCase()}` });
      if (icon) button.setAttribute("aria-label", title);
      else button.textContent = title;
      button.addEventListener("click", () => this.store.sortBy(id));
      header.append(button);
    } else {
      const label = element("span");
      label.textContent = title;
      header.append(label);
    }
    return header;
  }

  makeStatus() {
    this.status = element("div", "p3f-status", { "aria-live": "polite", id: `${this.id}-status` });
    return this.status;
  }

  makeRow() {
    const row = element("div", "p3f-row p3f-columns", { role: "row" });
    const cells = {};
    COLUMNS.forEach(({ id }, index) => {
      cells[id] = element("div", `p3f-cell p3f-${id}`, { role: "gridcell", "aria-colindex": String(index + 1) });
    });
    cells.box = element("span", "p3f-box", { role: "checkbox" });
    cells.mark.append(cells.box);
    cells.chip = element("span", "p3f-chip");
    cells.title = element("bdi", "p3f-title");
    cells.subject.append(cells.chip, cells.title);
    cells.sender = element("bdi", "p3f-sender");
    cells.address = element("bdi", "p3f-address");
    cells.from.append(cells.sender, " ", cells.address);
    row.append(...COLUMNS.map(({ id }) => cells[id]));
    row.cells = cells;
    return row;
  }

  filterSoon() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      this.viewport.scrollTop = 0;
      this.store.filterBy(this.search.value);
    }, 60);
  }

  onSearchKey(event) {
    if (event.key === "Escape" && this.search.value) {
      this.search.value = "";
      this.filterSoon();
      event.preventDefault();
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      this.viewport.focus();
      if (this.store.active < 0) this.store.moveTo(0, "only");
      event.preventDefault();
    }
  }

  onKey(event) {
    if (event.target !== this.viewport || event.isComposing || event.altKey) return;
    const { store } = this;
    const control = event.ctrlKey || event.metaKey;
    const step = this.steps()[event.key];
    if (step !== undefined) {
      const at = store.position(store.active);
      const to = event.key === "Home" || event.key === "End" ? step : at < 0 ? 0 : at + step;
      store.moveTo(to, event.shiftKey ? "range" : control ? "keep" : "only");
    } else if (control && event.key.toLowerCase() === "a") {
      store.selectAll(true);
    } else if (control) {
      return;
    } else if (event.key === " ") {
      store.moveTo(Math.max(store.position(store.active), 0), event.shiftKey ? "range" : "toggle");
    } else if (event.key === "Escape") {
      store.selectAll(false);
    } else if (["Delete", "d", "m"].includes(event.key)) {
      store.toggle(store.concerned());
    } else if (event.key === "Enter") {
      if (store.active >= 0) store.open(store.active);
    } else if (event.key === "/") {
      this.search.focus();
      this.search.select();
    } else {
      return;
    }
    event.preventDefault();
  }

  steps() {
    const page = Math.max(Math.floor(this.viewport.clientHeight / this.rowHeight) - 1, 1);
    const end = this.store.order.length - 1;
    return { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: 0, End: end };
  }

  /** The position of the row that an event concerns; -1: none. */
  positionOf(event) {
    const row = event.target.closest(".p3f-row");
    return row ? row.position : -1;
  }

  onPress(event) {
    const position = this.positionOf(event);
    if (event.button !== 0 || position < 0) return;
    event.preventDefault();
    this.viewport.focus({ preventScroll: true });
    if (event.target.closest(".p3f-mark")) return; // its click marks, and leaves the selection alone
    const select = event.shiftKey ? "range" : event.ctrlKey || event.metaKey ? "toggle" : "only";
    this.store.moveTo(position, select);
  }

  onClick(event) {
    const position = this.positionOf(event);
    if (position < 0 || !event.target.closest(".p3f-mark")) return;
    const { store } = this;
    const place = store.order[position];
    if (store.unmarkable.has(place)) return;
    store.toggle(store.selected[place] ? store.concerned() : [place]);
  }

  onDoubleClick(event) {
    const position = this.positionOf(event);
    if (position >= 0 && !event.target.closest(".p3f-mark")) this.store.open(this.store.order[position]);
  }

  /** Heights come from the style sheet, which knows narrow pages and other text sizes. */
  measure() {
    const height = parseFloat(getComputedStyle(this.body).getPropertyValue("--p3f-row-measure"));
    if (height !== this.rowHeight) this.stamp = {}; // every row moves
    this.rowHeight = height || 28;
    this.head.style.paddingInlineEnd = `${this.viewport.offsetWidth - this.viewport.clientWidth}px`;
    this.drawSoon();
  }

  drawSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.drawRows());
  }

  draw() {
    const { store } = this;
    const total = store.order.length;
    this.root.classList.toggle("p3f-waiting", !store.version);
    this.viewport.setAttribute("aria-rowcount", String(total + 1));
    this.viewport.setAttribute("aria-busy", String(store.pending || !store.version));
    COLUMNS.forEach(({ id, sort }, i) => {
      const { column, descending } = store.sort;
      if (sort) this.headers[i].setAttribute("aria-sort", id !== column ? "none" : descending ? "descending" : "ascending");
    });
    this.note.textContent = this.emptiness();
    this.note.hidden = total > 0;
    this.status.textContent = this.summary();
    this.drawButton();
    if (!this.rowHeight) this.measure();
    this.body.style.height = `${total * this.rowHeight}px`;
    if (store.reveal) this.reveal();
    this.stamp = {}; // every row is drawn anew
    this.drawRows();
  }

  drawButton() {
    const { store } = this;
    const places = store.version ? store.concerned() : [];
    const takeBack = places.length > 0 && places.every((place) => store.marked[place]);
    const what = places.length > 1 ? ` ${number.format(places.length)} messages` : "";
    this.button.textContent = takeBack ? `Unmark${what}` : `Mark${what}`;
    this.button.title = `${takeBack ? "Take back the mark of" : "Mark"} what is selected (Delete)`;
    this.button.disabled = !places.length;
  }

  emptiness() {
    const { store } = this;
    if (!store.version) return WAITING;
    return store.count ? `No message matches “${store.filter}”.` : "No messages.";
  }

  summary() {
    const { store } = this;
    if (store.problem) return store.problem;
    if (!store.version) return "";
    const shown = store.filter ? `${number.format(store.order.length)} of ` : "";
    const said = [`${shown}${counted(store.count, "message")}, ${humanSize(store.octets)}`];
    const selected = store.selected.reduce((sum, flag) => sum + flag, 0);
    if (selected) said.push(`${number.format(selected)} selected`);
    let [marked, size] = [0, 0];
    store.marked.forEach((flag, place) => {
      if (flag) [marked, size] = [marked + 1, size + store.columns.size[place]];
    });
    if (marked) said.push(`${number.format(marked)} marked, ${humanSize(size)}`);
    if (store.pending) said.push("waiting for the kernel…");
    return said.join(" · ");
  }

  reveal() {
    this.store.reveal = false;
    const position = this.store.position(this.store.active);
    if (position < 0) return;
    const { clientHeight, scrollTop } = this.viewport;
    const top = position * this.rowHeight;
    if (top < scrollTop) this.viewport.scrollTop = top;
    else if (top + this.rowHeight > scrollTop + clientHeight) {
      this.viewport.scrollTop = top + this.rowHeight - clientHeight;
    }
  }

  drawRows() {
    const { store, viewport, rowHeight } = this;
    const total = store.order.length;
    const first = Math.max(Math.floor(viewport.scrollTop / rowHeight) - OVERSCAN, 0);
    this.height = viewport.clientHeight || this.height || 0; // 0 while Lab hides it, which may pass unobserved
    const end = Math.min(Math.ceil((viewport.scrollTop + this.height) / rowHeight) + OVERSCAN, total);
    this.body.style.height = `${total * rowHeight}px`;
    const free = [];
    for (const [position, row] of this.rows) {
      if (position < first || position >= end) {
        this.rows.delete(position);
        free.push(row);
      }
    }
    let next = this.body.firstChild;
    for (let position = first; position < end; position++) {
      let row = this.rows.get(position);
      if (!row) {
        row = free.pop() ?? this.makeRow();
        if (row === next) next = next.nextSibling;
        this.rows.set(position, row);
        row.stamp = null;
      }
      if (row !== next) this.body.insertBefore(row, next); // the order of the page is the order to be read
      else next = next.nextSibling;
      if (row.stamp !== this.stamp || row.position !== position) this.fill(row, position);
    }
    for (const row of free) row.remove();
    const active = this.rows.get(store.position(store.active));
    if (active) viewport.setAttribute("aria-activedescendant", active.id);
    else viewport.removeAttribute("aria-activedescendant");
  }

  fill(row, position) {
    const { store } = this;
    const place = store.order[position];
    const { from, subject, seconds, size, attachments } = store.columns;
    const { cells } = row;
    const marked = Boolean(store.marked[place]);
    const unmarkable = store.unmarkable.has(place);
    row.position = position;
    row.stamp = this.stamp;
    row.id = `${this.id}-row-${place}`;
    row.style.transform = `translateY(${position * this.rowHeight}px)`;
    row.setAttribute("aria-rowindex", String(position + 2));
    row.setAttribute("aria-selected", String(Boolean(store.selected[place])));
    row.classList.toggle("p3f-active", place === store.active);
    row.classList.toggle("p3f-marked", marked);
    row.classList.toggle("p3f-odd", position % 2 === 1);
    cells.box.setAttribute("aria-checked", String(marked));
    cells.box.setAttribute("aria-label", `Mark ${subject[place] || "message without a subject"}`);
    cells.box.setAttribute("aria-disabled", String(unmarkable));
    cells.mark.title = unmarkable ? NO_UNIQUE_ID : marked ? "Take the mark back" : "Mark";
    cells.chip.hidden = !marked;
    cells.chip.textContent = marked ? "marked" : "";
    [cells.sender.textContent, cells.address.textContent] = nameAndAddress(from[place]);
    cells.from.title = from[place];
    cells.title.textContent = subject[place] || "(no subject)";
    cells.title.classList.toggle("p3f-absent", !subject[place]);
    cells.subject.title = subject[place];
    cells.clip.classList.toggle("p3f-has", attachments[place] > 0);
    cells.clip.classList.toggle("p3f-maybe", attachments[place] === PROBABLY);
    cells.clip.title = attachmentWords(attachments[place]);
    cells.clip.setAttribute("aria-label", cells.clip.title);
    const [date, whole] = seconds[place] === null ? ["", "The mail has no date that can be read"] : localDate(seconds[place]);
    cells.date.textContent = date || "–";
    cells.date.title = whole;
    cells.size.textContent = humanSize(size[place]);
    cells.size.title = `${number.format(size[place])} octets`;
  }
}

export default () => widgetOf(Store, View);

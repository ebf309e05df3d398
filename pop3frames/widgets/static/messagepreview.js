// The preview of one mail, after page.js. What the mail says becomes text nodes; its HTML, cleaned by the kernel,
// stands in a frame that may run nothing, load nothing and leave for nowhere.

const NOTHING = "Select a message to read it.";
const WAITING = "Waiting for the mail. If this stays, run the cell again: it is not stored in the notebook.";
const OCTETS_A_SECOND = 700_000; // Jupyter cuts a kernel off that sends more than a megabyte a second for long
const VIEWS = [["text", "Text"], ["html", "HTML"], ["source", "Source"]];

let previews = 0;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** What the page knows of one preview. */
class Store {
  constructor(model) {
    this.model = model;
    this.listeners = new Set();
    this.mail = undefined; // undefined: not yet heard of; null: none
    this.version = 0;
    this.shown = "text";
    this.problem = "";
    this.waiting = new Map(); // what was asked of the kernel -> who waits for it
    model.on("msg:custom", (content, buffers) => this.receive(content, buffers));
  }

  tell(content) {
    try {
      this.model.send({ version: this.version, ...content });
    } catch {
      this.say("The kernel does not answer.");
    }
  }

  ask() {
    if (this.mail === undefined) this.tell({ kind: "ready" });
  }

  changed() {
    for (const listener of this.listeners) listener();
  }

  say(problem) {
    this.problem = problem;
    this.changed();
  }

  async receive(content, buffers) {
    if (content.kind === "mail") {
      if (content.version <= this.version) return; // meant for another page
      this.version = content.version;
      const mail = await unpacked(octets(buffers[0]));
      if (content.version === this.version) this.replace(mail);
    } else if (content.kind === "nothing") {
      this.replace(null);
    } else if (content.kind === "problem") {
      this.say(String(content.text));
    } else if (content.kind === "piece" && content.version === this.version) {
      this.waiting.get(`${content.what} ${content.number} ${content.offset}`)?.([octets(buffers[0]), content.total]);
    }
  }

  replace(mail) {
    this.mail = mail;
    this.shown = "text";
    this.problem = "";
    this.html = this.source = undefined;
    this.waiting.clear();
    this.changed();
  }

  /** The octets of something larger, piece by piece; null when another mail came meanwhile. */
  async get(what, number = 0, progress = () => {}) {
    const { version } = this;
    const pieces = [];
    for (let [offset, total] = [0, 1]; offset < total;) {
      const began = performance.now();
      const key = `${what} ${number} ${offset}`;
      const answer = new Promise((resolve) => this.waiting.set(key, resolve));
      this.tell({ kind: "get", what, number, offset });
      const [piece, all] = await answer;
      this.waiting.delete(key);
      if (version !== this.version) return null;
      if (!piece.length) break;
      pieces.push(piece);
      offset += piece.length;
      total = all;
      progress(offset / total);
      if (offset < total) await pause(began + (piece.length / OCTETS_A_SECOND) * 1000 - performance.now());
    }
    return new Blob(pieces, { type: "application/octet-stream" });
  }

  async show(view) {
    this.shown = view;
    this.changed();
    if (view === "html" && !this.html) {
      const blob = await this.get("html");
      if (blob) this.html = JSON.parse(await blob.text());
    } else if (view === "source" && this.source === undefined) {
      const blob = await this.get("source");
      if (blob) this.source = await blob.text();
    }
    this.changed();
  }

  async save(number, progress) {
    const { name } = this.mail.attachments[number];
    const blob = await this.get("file", number, progress);
    if (!blob) return;
    const link = element("a", "", { download: name, href: URL.createObjectURL(blob) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }
}

function text(tag, className, content) {
  const node = element(tag, className);
  node.textContent = content;
  return node;
}

/** One picture of a store. */
class View {
  constructor(store, el) {
    this.store = store;
    this.id = `p3f-preview-${++previews}`;
    this.root = element("section", "p3f p3f-preview", { "aria-label": "Message preview" });
    keepKeys(this.root);
    el.append(this.root);
    this.onChange = () => this.draw();
    store.listeners.add(this.onChange);
    this.draw();
    store.ask();
  }

  remove() {
    this.store.listeners.delete(this.onChange);
    this.root.remove();
  }

  draw() {
    const { mail, problem } = this.store;
    if (this.drawn === mail && mail) {
      this.body.replaceWith(this.makeBody());
      this.drawTabs();
    } else if (mail) {
      this.root.replaceChildren(this.makeHead(), this.makeBar(), this.makeBody(), this.makeFiles(), this.makeStatus());
      this.drawTabs();
    } else {
      const note = text("div", "p3f-note", mail === null ? NOTHING : WAITING);
      note.classList.toggle("p3f-waiting", mail === undefined);
      this.root.replaceChildren(note, this.makeStatus());
    }
    this.drawn = mail;
    this.status.textContent = problem;
  }

  makeHead() {
    const { mail } = this.store;
    const head = element("header", "p3f-head");
    const subject = text("h3", "p3f-subject", mail.subject || "(no subject)");
    subject.dir = "auto";
    const fields = element("dl", "p3f-fields");
    const add = (label, ...content) => {
      const value = element("dd", "");
      value.append(...content);
      fields.append(text("dt", "", label), value);
    };
    const boxes = (label, list) => { if (list.length) add(label, this.makeBoxes(list)); };
    add("From", mail.from.length ? this.makeBoxes(mail.from) : text("span", "p3f-absent", "(no sender)"));
    if (mail.doubts.length) add("", this.makeDoubts());
    boxes("Reply to", mail.replyTo);
    boxes("To", mail.to);
    boxes("Cc", mail.cc);
    const [local, whole] = mail.seconds === null ? ["", ""] : localDate(mail.seconds);
    const date = text("span", "", local || "(none that can be read)");
    date.title = whole;
    add("Date", date, ...(mail.date ? [text("span", "p3f-aside", ` sent as “${mail.date}”`)] : []));
    add("Size", humanSize(mail.size));
    head.append(subject, fields);
    return head;
  }

  makeBoxes(list) {
    const all = element("span", "p3f-boxes");
    for (const { name, address } of list) {
      const box = element("bdi", "p3f-mailbox");
      if (name) box.append(text("bdi", "p3f-name", name), " ");
      if (address) box.append(text("bdi", "p3f-address", name ? `<${address}>` : address));
      all.append(box);
    }
    return all;
  }

  makeDoubts() {
    const note = element("div", "p3f-doubts", { role: "note", "aria-label": "Doubts about the sender" });
    note.append(text("strong", "", "Look twice at the sender"));
    const list = element("ul", "");
    list.append(...this.store.mail.doubts.map((doubt) => text("li", "", doubt)));
    note.append(list);
    return note;
  }

  makeBar() {
    const { mail } = this.store;
    const bar = element("div", "p3f-bar");
    const tabs = element("div", "p3f-tabs", { role: "group", "aria-label": "How the message is shown" });
    this.tabs = VIEWS.filter(([view]) => view !== "html" || mail.html).map(([view, label]) => {
      const tab = text("button", "p3f-tab", label);
      tab.type = "button";
      tab.dataset.view = view;
      tab.addEventListener("click", () => this.store.show(view));
      return tab;
    });
    tabs.append(...this.tabs);
    bar.append(tabs);
    if (mail.partial) {
      const loaded = `Only the beginning was loaded: ${humanSize(mail.loaded)} of ${humanSize(mail.size)}`;
      const load = text("button", "p3f-button", "Load the whole message");
      load.type = "button";
      load.addEventListener("click", () => {
        load.disabled = true;
        this.store.tell({ kind: "whole" });
      });
      bar.append(text("span", "p3f-partial", loaded), load);
    }
    return bar;
  }

  drawTabs() {
    for (const tab of this.tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === this.store.shown));
  }

  makeBody() {
    const { mail, shown, html, source } = this.store;
    this.body = element("div", `p3f-body p3f-as-${shown}`);
    if (shown === "text") {
      const pre = text("pre", "p3f-text", mail.text || "(The mail has no text.)");
      pre.dir = "auto";
      pre.tabIndex = 0;
      this.body.append(pre);
      if (mail.cut) this.body.append(text("p", "p3f-aside", "The text is cut here: it is too long to be shown."));
    } else if (shown === "source") {
      const pre = text("pre", "p3f-source", source ?? "Loading…");
      pre.tabIndex = 0;
      this.body.append(pre);
    } else if (!html) {
      this.body.append(text("p", "p3f-aside", "Loading…"));
    } else if (html.refused) {
      this.body.append(text("p", "p3f-aside", html.refused));
    } else {
      this.body.append(text("p", "p3f-aside", this.aboutHtml()), this.makeFrame());
    }
    return this.body;
  }

  aboutHtml() {
    const { notLoaded } = this.store.html;
    const pictures = notLoaded ? `${counted(notLoaded, "picture")} from elsewhere ${notLoaded === 1 ? "was" : "were"} not loaded. ` : "";
    return `${pictures}Nothing runs here; where links lead stands behind them.`;
  }

  /** The frame first gets its empty sandbox, then what it shows. */
  makeFrame() {
    const frame = element("iframe", "p3f-frame");
    frame.setAttribute("sandbox", "");
    frame.setAttribute("title", "The message as HTML");
    frame.setAttribute("referrerpolicy", "no-referrer");
    frame.setAttribute("srcdoc", this.store.html.html);
    return frame;
  }

  makeFiles() {
    const { attachments, partial } = this.store.mail;
    const files = element("div", "p3f-files");
    files.hidden = !attachments.length;
    files.append(text("h4", "", `${counted(attachments.length, "attachment")}${partial ? " so far" : ""}`));
    const list = element("ul", "");
    list.append(...attachments.map((file, number) => this.makeFile(file, number, partial)));
    files.append(list);
    return files;
  }

  makeFile({ name, type, size, sentAs }, number, partial) {
    const row = element("li", "p3f-file");
    const title = text("bdi", "p3f-filename", name);
    const save = text("button", "p3f-button", "Save");
    save.type = "button";
    save.setAttribute("aria-label", `Save ${name}`);
    save.disabled = partial;
    if (partial) save.title = "Load the whole message first";
    save.addEventListener("click", async () => {
      save.disabled = true;
      await this.store.save(number, (done) => { save.textContent = `${Math.round(done * 100)} %`; });
      save.textContent = "Save";
      save.disabled = false;
    });
    row.append(title, text("span", "p3f-aside", `${type}, ${humanSize(size)}`), save);
    if (sentAs) row.append(text("span", "p3f-sent-as", `sent as “${sentAs}”`));
    return row;
  }

  makeStatus() {
    this.status = element("div", "p3f-status", { "aria-live": "polite" });
    return this.status;
  }
}

export default () => widgetOf(Store, View);

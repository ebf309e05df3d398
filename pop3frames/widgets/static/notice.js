// One line of words, a progress bar and a cancel button. Text only by textContent.
// It also keeps the keys of the panel it stands in from the notebook, where "x" cuts a cell.

const around = (el) => el.closest(".p3f-explorer") ?? el.closest(".p3f-panel");

function keepKeysAround(el) {
  let release;
  const frame = requestAnimationFrame(() => {
    const panel = around(el);
    if (panel) release = keepKeys(panel);
  });
  return () => {
    cancelAnimationFrame(frame);
    release?.();
  };
}

// What Python wants to have the focus may be on its way: it is waited for, a moment.
function focusWhenThere(el, selector) {
  const end = performance.now() + 5000;
  const look = () => {
    const target = around(el)?.querySelector(selector);
    target?.focus();
    const there = target && document.activeElement === target;
    if (!there && performance.now() < end && el.isConnected) requestAnimationFrame(look);
  };
  look();
}

function render({ model, el }) {
  el.classList.add("p3f", "p3f-notice");
  el.tabIndex = -1;
  const said = element("div", "p3f-said", { role: "status", "aria-live": "polite" });
  const [sign, text] = [element("span", "p3f-sign"), element("span", "p3f-text")];
  const lines = element("ul", "p3f-lines");
  said.append(sign, text, lines);
  const work = element("div", "p3f-work");
  const [name, pace] = [element("span", "p3f-name"), element("span", "p3f-pace")];
  const bar = element("progress", "p3f-progress", { max: 1 });
  const cancel = element("button", "p3f-button", { type: "button" });
  cancel.textContent = "Cancel";
  work.append(name, bar, pace, cancel);
  el.append(said, work);

  const show = (now) => {
    el.dataset.tone = now.tone;
    sign.textContent = now.tone === "error" ? "⚠ Problem: " : "";
    if (text.textContent !== now.text) text.textContent = now.text;
    const shown = Array.from(lines.children, (line) => line.textContent);
    if (JSON.stringify(shown) !== JSON.stringify(now.lines)) {
      lines.replaceChildren(...now.lines.map(() => element("li")));
      now.lines.forEach((line, i) => { lines.children[i].textContent = line; });
    }
    lines.hidden = now.lines.length === 0;
    if (!now.pace && document.activeElement === cancel) el.focus();
    work.hidden = !now.pace;
    if (!now.pace) return;
    name.textContent = now.pace.name;
    pace.textContent = now.pace.words;
    bar.setAttribute("aria-label", now.pace.name);
    if (now.pace.share === null) bar.removeAttribute("value");
    else bar.value = now.pace.share;
  };
  const received = (message) => {
    if (message.kind === "notice") show(message);
    if (message.kind === "focus") focusWhenThere(el, message.on);
  };
  cancel.addEventListener("click", () => model.send({ kind: "cancel" }));
  model.on("msg:custom", received);
  show({ text: "", tone: "info", lines: [], pace: null });
  model.send({ kind: "ready" });
  const letGo = keepKeysAround(el);
  return () => {
    model.off("msg:custom", received);
    letGo();
  };
}

export default { render };

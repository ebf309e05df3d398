// One line of words, a progress bar and a cancel button. Text only by textContent.
// It also keeps the keys of the panel it stands in from the notebook, where "x" cuts a cell.

function make(tag, className, parent, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  parent.append(node);
  return node;
}

function keepKeys(el) {
  const stop = (event) => event.stopPropagation();
  let panel = null;
  const frame = requestAnimationFrame(() => {
    panel = el.closest(".p3f-explorer") ?? el.closest(".p3f-panel");
    panel?.setAttribute("data-lm-suppress-shortcuts", "true");
    panel?.addEventListener("keydown", stop);
  });
  return () => {
    cancelAnimationFrame(frame);
    panel?.removeEventListener("keydown", stop);
  };
}

function render({ model, el }) {
  el.classList.add("p3f", "p3f-notice");
  el.tabIndex = -1;
  const said = make("div", "p3f-said", el);
  said.setAttribute("role", "status");
  said.setAttribute("aria-live", "polite");
  const sign = make("span", "p3f-sign", said);
  const text = make("span", "p3f-text", said);
  const lines = make("ul", "p3f-lines", said);
  const work = make("div", "p3f-work", el);
  const name = make("span", "p3f-name", work);
  const bar = make("progress", "p3f-progress", work);
  bar.max = 1;
  const pace = make("span", "p3f-pace", work);
  const cancel = make("button", "p3f-button", work, "Cancel");
  cancel.type = "button";

  const show = (now) => {
    el.dataset.tone = now.tone;
    sign.textContent = { error: "⚠ Problem: ", good: "✓ ", info: "" }[now.tone];
    if (text.textContent !== now.text) text.textContent = now.text;
    const shown = Array.from(lines.children, (line) => line.textContent);
    if (JSON.stringify(shown) !== JSON.stringify(now.lines)) {
      lines.replaceChildren();
      for (const each of now.lines) make("li", "", lines, each);
    }
    lines.hidden = now.lines.length === 0;
    said.hidden = now.text === "" && now.lines.length === 0;
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
  };
  cancel.addEventListener("click", () => model.send({ kind: "cancel" }));
  model.on("msg:custom", received);
  show({ text: "", tone: "info", lines: [], pace: null });
  model.send({ kind: "ready" });
  const letGo = keepKeys(el);
  return () => {
    model.off("msg:custom", received);
    letGo();
  };
}

export default { render };

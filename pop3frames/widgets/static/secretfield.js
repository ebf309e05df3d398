// A password field whose content leaves it at once: by Enter, or when the field is left.

function render({ model, el }) {
  el.classList.add("p3f", "p3f-secret");
  el.setAttribute("data-lm-suppress-shortcuts", "true");
  const label = document.createElement("label");
  const caption = document.createElement("span");
  const input = document.createElement("input");
  input.type = "password";
  input.autocomplete = "off";
  input.spellcheck = false;
  label.append(caption, input);
  el.append(label);

  const named = () => {
    caption.textContent = model.get("label");
  };
  const give = (entered) => {
    const secret = input.value;
    input.value = "";
    // In a buffer: a kernel that is being debugged logs the content of every message.
    const octets = new TextEncoder().encode(secret);
    if (secret !== "" || entered) model.send({ kind: "typed", entered }, undefined, [octets]);
  };
  const pressed = (event) => {
    event.stopPropagation();
    if (event.key === "Enter") give(true);
  };
  const left = () => give(false);
  const received = (message) => {
    if (message.kind === "focus") input.focus();
    if (message.kind === "held") {
      input.placeholder = message.held ? "•••••••• typed, type again to change" : "";
    }
  };
  input.addEventListener("keydown", pressed);
  input.addEventListener("blur", left);
  model.on("change:label", named);
  model.on("msg:custom", received);
  named();
  model.send({ kind: "ready" });
  return () => {
    input.value = "";
    model.off("change:label", named);
    model.off("msg:custom", received);
  };
}

export default { render };

// The controls: drawn from the table that the show sends, set by hand, and moved when somebody else sets them.

import { on, send } from "./link.js";

const GROUPS = { "how it sounds": "sounding", "how it looks": "looking" };
const SEND_MS = 40;
const widgets = new Map();
let values = {};

/** What a control is now. */
export function valueOf(name) {
  return values[name];
}

/** Set a control; `passing` while a hand still moves it. */
export function set(name, value, passing = false) {
  send({ do: "set", name, value, passing });
}

const digits = (step) => Math.max(0, Math.min(3, Math.ceil(-Math.log10(step || 1) - 1e-9)));

function shown(row, value) {
  if (typeof value === "string") return value || "shipped";
  return `${Number(value).toFixed(digits(row.step))}${row.unit ? ` ${row.unit}` : ""}`;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A slider that sends 25 times a second at most, and the last value always. */
function slider(row) {
  const input = element("input", { type: "range", id: `control-${row.name}`, title: row.words });
  Object.assign(input, { min: row.low, max: row.high, step: row.step || "any" });
  let timer = null;
  let held = false;
  const flush = (passing) => {
    clearTimeout(timer);
    timer = null;
    set(row.name, Number(input.value), passing);
  };
  input.addEventListener("input", () => {
    held = true;
    output.value = shown(row, input.value);
    timer ??= setTimeout(() => flush(true), SEND_MS);
  });
  input.addEventListener("change", () => {
    held = false;
    flush(false);
  });
  input.addEventListener("dblclick", () => {
    if (typeof row.default === "number") set(row.name, row.default);
  });
  const output = element("output", { htmlFor: input.id });
  const word = row.choices[0];
  const auto = word && element("button", { type: "button", className: "word", textContent: word });
  auto?.addEventListener("click", () => set(row.name, values[row.name] === word ? Number(input.value) : word));
  const update = (value) => {
    if (held) return;
    if (typeof value === "number") input.value = value;
    // A word is said by its own key.
    output.value = auto && value === word ? "" : shown(row, value);
    auto?.setAttribute("aria-pressed", String(value === word));
  };
  return [[input, output, ...(auto ? [auto] : [])], update];
}

function toggle(row) {
  const button = element("button", { type: "button", id: `control-${row.name}`, className: "switch" });
  button.addEventListener("click", () => set(row.name, values[row.name] >= 0.5 ? row.low : row.high));
  const update = (value) => {
    button.setAttribute("aria-pressed", String(value >= 0.5));
    button.textContent = value >= 0.5 ? "on" : "off";
  };
  return [[button], update];
}

function choice(row) {
  const select = element("select", { id: `control-${row.name}`, title: row.words });
  select.append(...row.choices.map((word) => element("option", { value: word, textContent: word })));
  select.addEventListener("change", () => set(row.name, select.value));
  return [[select], (value) => { select.value = value; }];
}

/** A name that is typed; it is sent when it is complete. */
function device(row) {
  const input = element("input", { type: "text", id: `control-${row.name}`, title: row.words, spellcheck: false });
  input.addEventListener("change", () => set(row.name, input.value));
  return [[input], (value) => { if (document.activeElement !== input) input.value = value; }];
}

function action(row) {
  const seconds = element("input", { type: "number", id: `control-${row.name}`, value: Math.min(5, row.high) });
  Object.assign(seconds, { min: row.low, max: row.high, step: row.step, title: row.words });
  const start = element("button", { type: "button", textContent: "measure" });
  start.addEventListener("click", () => set(row.name, Number(seconds.value)));
  const word = row.choices[0];
  const auto = word && element("button", { type: "button", className: "word", textContent: word });
  auto?.addEventListener("click", () => set(row.name, word));
  const update = (value) => auto?.setAttribute("aria-pressed", String(value === word));
  return [[seconds, element("span", { textContent: row.unit }), start, ...(auto ? [auto] : [])], update];
}

const MAKERS = { slider, switch: toggle, choice, action, device };

function build({ controls }) {
  widgets.clear();
  for (const group of Object.values(GROUPS)) {
    document.querySelectorAll(`#${group} .control`).forEach((old) => old.remove());
  }
  for (const row of controls) {
    const panel = document.getElementById(GROUPS[row.group]);
    if (!panel || !MAKERS[row.widget]) continue;
    const [parts, update] = MAKERS[row.widget](row);
    const ends = [row.atLow && `${row.low}: ${row.atLow}`, row.atHigh && `${row.high}: ${row.atHigh}`];
    const title = [row.words, ...ends.filter(Boolean)].join("\n");
    const label = element("label", { htmlFor: `control-${row.name}`, textContent: row.name, title });
    const range = element("small", { textContent: row.range });
    const line = element("div", { className: `control ${row.widget}` }, label, ...parts, range);
    line.dataset.name = row.name;
    panel.append(line);
    widgets.set(row.name, update);
  }
  show();
}

function show() {
  for (const [name, update] of widgets) if (name in values) update(values[name]);
  for (const name of ["mute", "panic", "freeze", "blackout", "record"]) {
    document.getElementById(name).setAttribute("aria-pressed", String(values[name] >= 0.5));
  }
}

on("hello", build);
on("values", (message) => {
  values = message.values;
  show();
});

export { element };

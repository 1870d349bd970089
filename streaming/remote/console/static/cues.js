// Presets and cues: saved, loaded and deleted by name; a list through which a show goes with one large key.

import { element } from "./controls.js";
import { on, send } from "./link.js";

const presets = document.getElementById("presets");
const cues = document.getElementById("cues");
const choice = document.getElementById("cue-preset");
let listed = "";

function button(text, title, message) {
  const made = element("button", { type: "button", textContent: text, title });
  made.addEventListener("click", () => send(message()));
  return made;
}

function drawPresets(names) {
  const fade = () => Number(document.getElementById("cue-fade").value) || 0;
  presets.replaceChildren(
    ...names.map((name) => {
      const load = button(name, `Load ${name} at once`, () => ({ do: "load", name, fade: 0 }));
      load.className = "load";
      const slow = button("fade", `Fade to ${name} in the time that stands beside the new cue`, () => ({
        do: "load", name, fade: fade(),
      }));
      const remove = element("button", { type: "button", textContent: "×", title: `Delete ${name}` });
      remove.addEventListener("click", () => {
        if (confirm(`Delete the preset ${name}, and the cues that lead to it?`)) send({ do: "delete", name });
      });
      return element("li", {}, load, slow, remove);
    }),
  );
  if (!names.length) presets.append(element("li", { className: "empty", textContent: "none yet" }));
  const before = choice.value;
  choice.replaceChildren(...names.map((name) => element("option", { value: name, textContent: name })));
  if (names.includes(before)) choice.value = before;
  document.getElementById("cue-add").disabled = !names.length;
}

function drawCues(message) {
  cues.replaceChildren(
    ...message.cues.map((cue, at) => {
      const go = button(cue.preset, "Go to this cue now", () => ({ do: "cue-go", at }));
      go.className = "load";
      const time = element("input", {
        type: "text", value: cue.at, placeholder: "timecode", size: 10, maxLength: 11,
        title: "The timecode at which this cue goes by itself: HH:MM:SS:FF, or nothing",
      });
      time.addEventListener("change", () => send({ do: "cue-time", at, time: time.value }));
      const line = element("li", { className: at === message.next ? "is-next" : "" },
        go, element("span", { textContent: cue.fade_s ? `${cue.fade_s} s` : "cut" }), time,
        button("↑", "Earlier", () => ({ do: "cue-move", at, by: -1 })),
        button("↓", "Later", () => ({ do: "cue-move", at, by: 1 })),
        button("×", "Remove this cue", () => ({ do: "cue-remove", at })));
      return line;
    }),
  );
  if (!message.cues.length) cues.append(element("li", { className: "empty", textContent: "save a preset, then add it" }));
}

function drawNext(message) {
  const cue = message.cues[message.next];
  const words = cue ? `${message.next + 1}  ${cue.preset}` : message.cues.length ? "end of the list" : "no cues";
  for (const place of document.querySelectorAll("[data-next]")) place.textContent = words;
  for (const place of document.querySelectorAll('[data-do="next"]')) place.disabled = !cue;
  document.getElementById("fading").textContent = message.fading ? `fading, ${message.fading.toFixed(0)} s` : "";
}

document.getElementById("preset-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = document.getElementById("preset-name");
  if (name.value.trim()) send({ do: "save", name: name.value.trim() });
  name.value = "";
});
document.getElementById("cue-form").addEventListener("submit", (event) => {
  event.preventDefault();
  send({ do: "cue-add", preset: choice.value, fade: Number(document.getElementById("cue-fade").value) || 0 });
});
on("book", (message) => {
  const now = JSON.stringify([message.presets, message.cues, message.next]);
  if (now !== listed) {
    drawPresets(message.presets);
    drawCues(message);
    listed = now;
  }
  drawNext(message);
});

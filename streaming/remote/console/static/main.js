// The page as a whole: its views, its buttons and keys, its theme.

import { element, set, valueOf } from "./controls.js";
import { connect, on, send, showView } from "./link.js";
import "./pictures.js";
import "./cues.js";
import "./health.js";
import "./shelf.js";

const root = document.documentElement;
const VIEWS = ["console", "stage", "performance"];
const CALIBRATE_S = 5;
const flip = (name) => set(name, valueOf(name) >= 0.5 ? 0 : 1);
const panic = () => (valueOf("panic") >= 0.5 ? set("panic", 0) : send({ do: "panic" }));
const nudge = (by) => set("volume", Math.min(6, Math.max(-60, Number(valueOf("volume")) + by)));

const KEYS = [
  ["Space", "next cue", () => send({ do: "next" })],
  ["M", "mute, or sound again", () => flip("mute")],
  ["P", "panic: silence at once, or sound again", panic],
  ["F", "freeze the picture, or let it go on", () => flip("freeze")],
  ["B", "black out the picture, or show it again", () => flip("blackout")],
  ["R", "record a take, or end it", () => flip("record")],
  ["T", "tap the beat", () => send({ do: "tap" })],
  ["C", `calibrate for ${CALIBRATE_S} s`, () => set("calibrate", CALIBRATE_S)],
  ["S", "stop all fades where they are", () => send({ do: "stop" })],
  ["+", "louder by 1 dB", () => nudge(1)],
  ["-", "softer by 1 dB", () => nudge(-1)],
  ["1", "console", () => { location.hash = "console"; }],
  ["2", "stage view", () => { location.hash = "stage"; }],
  ["3", "performance view; Esc leaves it", () => { location.hash = "performance"; }],
  ["D", "light or dark", turnTheme],
  ["?", "these keys", () => document.getElementById("keys").showModal()],
];

function turnTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

function turnView() {
  const wanted = location.hash.slice(1);
  const view = VIEWS.includes(wanted) ? wanted : "console";
  root.dataset.view = view;
  for (const link of document.querySelectorAll("nav a")) {
    link.toggleAttribute("aria-current", link.hash === `#${view}`);
  }
  showView(view);
}

function press(event) {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName) && event.target.type !== "range";
  if (event.ctrlKey || event.metaKey || event.altKey || typing || document.getElementById("keys").open) return;
  if (event.key === "Escape" && root.dataset.view === "performance") location.hash = "console";
  // A focused button takes the space bar itself.
  if (event.key === " " && event.target.tagName === "BUTTON") event.target.blur();
  const name = event.key === " " ? "Space" : event.key.toUpperCase();
  const found = KEYS.find(([key]) => key.toUpperCase() === name.toUpperCase());
  if (!found || event.repeat) return;
  event.preventDefault();
  found[2]();
}

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => send({ do: button.dataset.do }));
}
for (const name of ["mute", "freeze", "blackout", "record"]) {
  document.getElementById(name).addEventListener("click", () => flip(name));
}
document.getElementById("panic").addEventListener("click", panic);
document.getElementById("calibrate").addEventListener("click", () => set("calibrate", CALIBRATE_S));
document.getElementById("theme").addEventListener("click", turnTheme);
document.getElementById("help").addEventListener("click", () => document.getElementById("keys").showModal());
document.getElementById("performance").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else root.requestFullscreen();
});
document.getElementById("key-table").append(
  ...KEYS.map(([key, words]) => element("tr", {}, element("th", {}, element("kbd", { textContent: key })), element("td", { textContent: words }))),
);
on("hello", ({ records, browsers }) => {
  document.getElementById("record").hidden = !records;
  const play = document.getElementById("play");
  play.hidden = !browsers.length;
  play.title = `The page that makes a browser the show's ${browsers.join(", ")}`;
});
const theme = localStorage.getItem("theme");
if (theme === "light" || theme === "dark") root.dataset.theme = theme;
document.addEventListener("keydown", press);
addEventListener("hashchange", turnView);
turnView();
connect();

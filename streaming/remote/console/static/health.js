// How the show is: its processes, its latency with the tail, what was lost, what was recorded, its notes.

import { element, valueOf } from "./controls.js";
import { on } from "./link.js";

const LATENCY_MS = 160;
const NAMES = { motion_to_sound_ms: "motion to sound", sound_to_picture_ms: "sound to picture" };
const refusals = document.getElementById("refusals");
const figure = (value, digits = 0) => (value === null || value === undefined ? "–" : value.toFixed(digits));

/** Show for some seconds why something was refused. */
export function refuse(line) {
  const shown = element("p", { textContent: line });
  refusals.append(shown);
  while (refusals.childElementCount > 4) refusals.firstElementChild.remove();
  setTimeout(() => shown.remove(), 9000);
}

function clock(seconds) {
  if (seconds === null || seconds === undefined) return "getting ready";
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
}

function drawLatency(latency) {
  const place = document.getElementById("latency");
  const at = (ms) => `${Math.min(100, (100 * ms) / LATENCY_MS)}%`;
  const lines = Object.entries(latency).map(([key, values]) => {
    const gauge = element("div", { className: "gauge" }, element("i"), element("s"), element("u"));
    gauge.querySelector("i").style.width = at(values.p50);
    gauge.querySelector("s").style.left = at(values.p50);
    gauge.querySelector("s").style.width = `calc(${at(values.p99)} - ${at(values.p50)})`;
    gauge.querySelector("u").style.left = at(values.max);
    const text = `p50 ${figure(values.p50)}  p95 ${figure(values.p95)}  p99 ${figure(values.p99)}  max ${figure(values.max)} ms`;
    return element("div", {}, element("span", { textContent: NAMES[key] ?? key }), gauge, element("small", { textContent: text }));
  });
  place.replaceChildren(...(lines.length ? lines : [element("p", { className: "empty", textContent: "not measured yet" })]));
}

function drawProcesses(rows) {
  const body = document.querySelector("#processes tbody");
  body.replaceChildren(
    ...rows.map((row) => {
      const cells = [row.name, row.state, figure(row.rate_hz, 1), figure(row.step_p50_ms, 1), figure(row.step_p99_ms, 1),
        row.drops, row.restarts, figure(row.cpu_percent)];
      const line = element("tr", {}, ...cells.map((cell) => element("td", { textContent: String(cell) })));
      line.dataset.state = row.state;
      return line;
    }),
  );
}

function drawFacts(message) {
  const facts = {};
  for (const direction of message.directions ?? []) facts[direction.latency] = `${direction.source} → ${direction.output}`;
  facts.networks = message.networks;
  facts.eyes = message.eyes;
  facts.playing = message.playing;
  facts["given up"] = message.given_up;
  facts.bundle = message.bundle;
  const lost = message.film_drops ? `, ${message.film_drops} pictures missing` : "";
  const size = message.film_mb ? `, ${figure(message.film_mb, 1)} MB` : "";
  const is_film = message.film && message.film !== "none";
  facts[valueOf("record") >= 0.5 ? "film" : "last film"] = is_film ? `${message.film}${size}${lost}` : "not recorded";
  facts.report = message.report || "none";
  const places = Object.entries(facts).filter(([, value]) => value);
  document.getElementById("facts").replaceChildren(
    ...places.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]),
  );
}

function lostOf(message) {
  const faults = (message.directions ?? []).flatMap((direction) => Object.entries(direction.faults));
  return faults.reduce((sum, [, count]) => sum + (count ?? 0), 0);
}

function drawState(message) {
  const state = document.getElementById("state");
  const odd = (message.rows ?? []).filter((row) => ["lost", "restarting"].includes(row.state));
  const lost = lostOf(message);
  const faults = lost ? `, ${lost} lost` : "";
  const short = message.given_up ? `, given up: ${message.given_up}` : "";
  const well = `${clock(message.elapsed_s)}${faults}${short}`;
  state.textContent = odd.length ? odd.map((row) => `${row.name} ${row.state}`).join(", ") : well;
  state.dataset.state = odd.length ? "bad" : message.elapsed_s === null ? "wait" : "good";
  const p99 = (key) => (message.latency?.[key] ? `${figure(message.latency[key].p99)} ms` : "–");
  document.getElementById("big-forward").textContent = p99("motion_to_sound_ms");
  document.getElementById("big-reverse").textContent = p99("sound_to_picture_ms");
  document.getElementById("big-lost").textContent = String(lost);
  document.getElementById("big-time").textContent = clock(message.elapsed_s);
}

on("status", (message) => {
  if (!message.rows) return;
  drawState(message);
  drawLatency(message.latency);
  drawProcesses(message.rows);
  drawFacts(message);
  const notes = document.getElementById("notes");
  notes.replaceChildren(...message.notes.slice().reverse().map((line) => element("li", { textContent: line })));
});
on("lines", (message) => message.lines.forEach((line) => refuse(line.refused)));
on("close", (event) => {
  const state = document.getElementById("state");
  state.textContent = event.reason || "no link to the show";
  state.dataset.state = "bad";
});
on("open", () => { document.getElementById("state").textContent = "connected"; });

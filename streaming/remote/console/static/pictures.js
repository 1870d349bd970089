// What is seen and heard: the camera with flow and points, the picture, the spectrogram, the meters.

import { element } from "./controls.js";
import { on } from "./link.js";

const FLOOR_DB = -60;
const GRID = 16;
const SLOWEST = 0.08;
const BONES = [
  [11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [11, 23], [12, 24], [23, 24], [23, 25], [25, 27], [24, 26], [26, 28],
];
const camera = document.getElementById("camera");
const pen = camera.getContext("2d");
const spectrogram = document.getElementById("spectrogram");
const ink = spectrogram.getContext("2d", { willReadFrequently: false });
const colours = palette();
let overlay = {};
let image = null;

function palette() {
  // Black, blue, magenta, orange, white: darker is quieter in both themes.
  const stops = [[0, 8, 10, 16], [70, 24, 36, 110], [130, 150, 40, 130], [190, 240, 130, 50], [255, 255, 250, 225]];
  const table = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level += 1) {
    const upper = Math.max(1, stops.findIndex((stop) => stop[0] >= level));
    const [from, to] = [stops[upper - 1], stops[upper]];
    const part = (level - from[0]) / (to[0] - from[0]);
    for (let k = 0; k < 3; k += 1) table[4 * level + k] = from[k + 1] + part * (to[k + 1] - from[k + 1]);
    table[4 * level + 3] = 255;
  }
  return table;
}

function drawCamera() {
  if (!image) return;
  if (camera.width !== image.width || camera.height !== image.height) {
    camera.width = image.width;
    camera.height = image.height;
  }
  pen.drawImage(image, 0, 0);
  // Flow and points lie in the square in whose middle the frame is.
  const side = Math.max(camera.width, camera.height);
  const left = (camera.width - side) / 2;
  const top = (camera.height - side) / 2;
  if (overlay.flow && document.getElementById("show-flow").checked) drawFlow(side, left, top);
  if (document.getElementById("show-points").checked) drawPoints(side, left, top);
}

function drawFlow(side, left, top) {
  const cells = GRID * GRID;
  const cell = side / GRID;
  pen.strokeStyle = "rgba(120, 220, 255, 0.9)";
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (let at = 0; at < cells; at += 1) {
    const [dx, dy] = [overlay.flow[at], overlay.flow[cells + at]];
    if (Math.hypot(dx, dy) < SLOWEST) continue;
    const x = left + ((at % GRID) + 0.5) * cell;
    const y = top + (Math.floor(at / GRID) + 0.5) * cell;
    pen.moveTo(x, y);
    pen.lineTo(x + 0.08 * side * dx, y + 0.08 * side * dy);
  }
  pen.stroke();
}

function drawPoints(side, left, top) {
  const place = ([x, y]) => [left + x * side, top + y * side];
  const sure = (point) => point && point[2] >= 0.3;
  pen.fillStyle = "#ffd166";
  pen.strokeStyle = "rgba(255, 209, 102, 0.9)";
  pen.lineWidth = 2;
  const body = overlay.body ?? [];
  pen.beginPath();
  for (const [from, to] of BONES) {
    if (!sure(body[from]) || !sure(body[to])) continue;
    pen.moveTo(...place(body[from]));
    pen.lineTo(...place(body[to]));
  }
  pen.stroke();
  for (const points of [body, ...(overlay.hands ?? [])]) {
    for (const point of points) {
      if (!sure(point)) continue;
      const [x, y] = place(point);
      pen.fillRect(x - 1.5, y - 1.5, 3, 3);
    }
  }
}

function drawColumns(columns) {
  const { width, height } = spectrogram;
  const step = 2;
  if (!columns.length) return;
  const shift = Math.min(width, step * columns.length);
  ink.drawImage(spectrogram, -shift, 0);
  for (const [index, column] of columns.slice(-Math.floor(width / step)).entries()) {
    const strip = ink.createImageData(step, height);
    for (let y = 0; y < height; y += 1) {
      const level = column[Math.min(column.length - 1, Math.floor(((height - 1 - y) / height) * column.length))];
      for (let x = 0; x < step; x += 1) strip.data.set(colours.subarray(4 * level, 4 * level + 4), 4 * (y * step + x));
    }
    ink.putImageData(strip, width - shift + step * index, 0);
  }
}

const peaks = new Map();

function drawMeters(levels, limited) {
  for (const place of document.querySelectorAll("[data-meters]")) {
    for (const [name, level] of Object.entries(levels)) {
      let line = place.querySelector(`[data-meter="${name}"]`);
      if (!line) {
        const bar = element("div", { className: "bar" }, element("i"), element("u"));
        line = element("div", { className: "meter" }, element("span", { textContent: name }), bar, element("output"));
        line.dataset.meter = name;
        place.append(line);
      }
      const part = Math.min(1, Math.max(0, 1 - level / FLOOR_DB));
      const peak = Math.max(part, (peaks.get(name) ?? 0) - 0.004);
      peaks.set(name, peak);
      line.querySelector("i").style.clipPath = `inset(0 ${100 * (1 - part)}% 0 0)`;
      line.querySelector("u").style.left = `${100 * peak}%`;
      line.classList.toggle("hot", level > -1.5);
      line.querySelector("output").value = level <= -100 ? "silent" : `${level.toFixed(0)} dB`;
      if (name === "music" && limited > 0.05) line.querySelector("output").value += `, limited −${limited.toFixed(1)} dB`;
    }
  }
}

function place(target) {
  let url = null;
  return (blob) => {
    const next = URL.createObjectURL(blob);
    target.onload = () => {
      if (url) URL.revokeObjectURL(url);
      url = next;
    };
    target.src = next;
  };
}

const showPicture = place(document.getElementById("picture"));
const showFull = place(document.getElementById("performance"));

on("camera", async (blob) => {
  const next = await createImageBitmap(blob);
  image?.close();
  image = next;
  drawCamera();
});
on("picture", (blob) => {
  document.getElementById("picture-empty").hidden = true;
  (document.documentElement.dataset.view === "performance" ? showFull : showPicture)(blob);
});
on("view", (message) => {
  overlay = message;
  drawColumns(message.columns);
  drawMeters(message.levels, message.limited);
  const still = message.still > 3 ? `nothing has moved for ${message.still.toFixed(0)} s` : "";
  const instrument = message.instrument && message.instrument !== "none" ? message.instrument : "";
  document.getElementById("camera-words").textContent = [instrument, still].filter(Boolean).join(", ");
});
on("hello", ({ direction }) => {
  document.getElementById("camera-panel").hidden = direction === "music-to-video";
  document.getElementById("picture-panel").hidden = direction === "video-to-music";
  document.getElementById("shelf-panel").hidden = direction === "video-to-music";
});

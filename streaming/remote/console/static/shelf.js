// The shelf of prior images: chosen by name, added by dropping a file.

import { element } from "./controls.js";
import { on, send } from "./link.js";
import { refuse } from "./health.js";

const shelf = document.getElementById("shelf");
const words = document.getElementById("shelf-words");
const drop = document.getElementById("drop");
let maxUpload = 0;
let listed = "";

function draw(message) {
  words.textContent = message.loading ? `loading ${message.loading} …` : "";
  const now = JSON.stringify([message.images, message.present]);
  if (now === listed) return;
  listed = now;
  shelf.replaceChildren(
    ...["", ...message.images].map((name) => {
      const picture = element("img", { src: `shelf/${encodeURIComponent(name)}`, alt: "", loading: "lazy" });
      const made = element("button", { type: "button", title: name || "the image that comes with the program" },
        picture, element("span", { textContent: name || "shipped" }));
      made.setAttribute("aria-pressed", String(message.present === name));
      made.addEventListener("click", () => send({ do: "prior", name }));
      return made;
    }),
  );
}

async function upload(file) {
  if (!file) return;
  if (file.size > maxUpload) {
    refuse(`${file.name}: is too large, ${Math.round(maxUpload / 1e6)} MB are taken; send a smaller one`);
    return;
  }
  words.textContent = `sending ${file.name} …`;
  try {
    const reply = await fetch(`shelf/${encodeURIComponent(file.name)}`, { method: "PUT", body: file });
    const answer = await reply.json();
    if (answer.refused) refuse(answer.refused);
    else send({ do: "prior", name: answer.name });
  } catch {
    refuse(`${file.name}: could not be sent`);
  }
  words.textContent = "";
}

document.getElementById("upload").addEventListener("change", (event) => {
  upload(event.target.files[0]);
  event.target.value = "";
});
for (const type of ["dragover", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", type === "dragover");
    if (type === "drop") upload(event.dataTransfer.files[0]);
  });
}
document.addEventListener("dragleave", () => drop.classList.remove("over"));
on("shelf", draw);
on("hello", (message) => { maxUpload = message.maxUpload; });

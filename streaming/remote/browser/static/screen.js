// The newest picture, as large as the window; a click fills the screen.
"use strict";

const AGAIN_MS = 1000;
const picture = document.getElementById("picture");

// The console may be started again; its pictures then come from a new connection.
picture.addEventListener("error", () => {
  picture.removeAttribute("src");
  setTimeout(() => { picture.src = `picture?again=${Date.now()}`; }, AGAIN_MS);
});

document.addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen();
});

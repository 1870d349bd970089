// The link to the show: one WebSocket that is opened again whenever it is lost.

const handlers = new Map();
let socket = null;
let waitMs = 250;
let view = "console";

/** Call a function with every message of a type; "open" and "close" tell of the link itself. */
export function on(type, handler) {
  handlers.set(type, [...(handlers.get(type) ?? []), handler]);
}

function tell(type, message) {
  for (const handler of handlers.get(type) ?? []) handler(message);
}

/** Ask the console for something; without a link it is dropped, so that nothing happens late. */
export function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

/** Say which view is shown, so that nothing else is sent. */
export function showView(name) {
  view = name;
  send({ do: "view", view });
}

/** Open the link. */
export function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    waitMs = 250;
    showView(view);
    tell("open");
  };
  socket.onmessage = (event) => {
    if (typeof event.data === "string") {
      const message = JSON.parse(event.data);
      tell(message.type, message);
      return;
    }
    const kind = new Uint8Array(event.data, 0, 1)[0] === 1 ? "camera" : "picture";
    tell(kind, new Blob([event.data.slice(1)], { type: "image/jpeg" }));
  };
  socket.onclose = (event) => {
    tell("close", event);
    setTimeout(connect, waitMs);
    waitMs = Math.min(5000, 2 * waitMs);
  };
}

// One WebSocket a page; when it comes back, everything shown is fetched again.
import { byId } from "./page.js";
import { t } from "./texts.js";

const FIRST_MS = 300;
const LONGEST_MS = 8000;
let socket;
let delay = FIRST_MS;
let timer;

export function connect(handlers) {
  clearTimeout(timer);
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/socket`);
  let opened = false;
  socket.addEventListener("open", () => {
    opened = true;
    delay = FIRST_MS;
    lamp("on");
    handlers.open();
  });
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data);
    handlers[frame.type]?.(frame);
  });
  socket.addEventListener("close", () => {
    lamp("off");
    if (!opened) handlers.refused?.();
    // Spread out, so that a restarted desk is not met by everybody at once.
    timer = setTimeout(() => connect(handlers), delay * (0.5 + Math.random()));
    delay = Math.min(LONGEST_MS, delay * 2);
  });
}

export function send(frame) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

// Whoever moves or types is there; the desk counts silence as being away.
const ACTIVE_MS = 30_000;
let activeAt = 0;
for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  addEventListener(kind, () => {
    if (Date.now() - activeAt < ACTIVE_MS) return;
    activeAt = Date.now();
    send({ type: "active" });
  }, { passive: true });
}

function lamp(state) {
  byId("lamp").className = `lamp ${state}`;
  byId("online").title = t(state === "on" ? "online_title" : "connection_lost");
}

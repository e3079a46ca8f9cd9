// A short sound, a number in the title and, once allowed, a notification of the browser when somebody
// starts waiting.
import { byId } from "./page.js";
import { number as digits, t } from "./texts.js";

const SOUND = "desk:sound";
const title = document.title;
let context;
let news = 0;
let badge = "";

export function start() {
  const button = byId("sound");
  const show = () => button.setAttribute("aria-pressed", String(localStorage.getItem(SOUND) !== "off"));
  button.addEventListener("click", () => {
    localStorage.setItem(SOUND, localStorage.getItem(SOUND) === "off" ? "on" : "off");
    show();
    if (localStorage.getItem(SOUND) === "on") {
      chime();
      // Asked only on a click on the bell: browsers refuse, and people resent, anything else.
      if ("Notification" in window) Notification.requestPermission();
    }
  });
  show();
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      news = 0;
      write();
    }
  });
}

export function announceWaiting(row, old) {
  if (old?.dataset.state === "waiting" || Date.now() / 1000 - Number(row.dataset.waiting) > 10) return;
  if (document.hidden) news += 1;
  write();
  if (localStorage.getItem(SOUND) === "off") return;
  chime();
  if (document.hidden && "Notification" in window && Notification.permission === "granted") {
    const name = row.querySelector(".row-name").textContent;
    const cause = row.querySelector(".cause")?.textContent ?? "";
    const shown = new Notification(t("is_waiting", { name }), { body: cause, tag: row.dataset.id });
    shown.addEventListener("click", () => {
      window.focus();
      row.querySelector(".row-link").click();
    });
  }
}

export function announceMessage() {
  if (document.hidden) news += 1;
  write();
}

export function showCounts(counts) {
  for (const [name, number] of Object.entries(counts)) {
    const element = document.querySelector(`[data-count="${name}"]`);
    if (!element) continue;
    element.textContent = digits(number);
    element.toggleAttribute("data-zero", number === 0);
  }
  badge = counts.waiting ? `(${digits(counts.waiting)}) ` : "";
  write();
}

function write() {
  document.title = `${news ? "● " : ""}${badge}${title}`;
}

function chime() {
  try {
    context ??= new AudioContext();
    for (const [at, pitch] of [[0, 660], [0.13, 880]]) {
      const tone = context.createOscillator();
      const volume = context.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, context.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.12, context.currentTime + at + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, context.currentTime + at + 0.3);
      tone.connect(volume).connect(context.destination);
      tone.start(context.currentTime + at);
      tone.stop(context.currentTime + at + 0.32);
    }
  } catch {
    // Browsers refuse sound before the first click: the title still tells.
  }
}


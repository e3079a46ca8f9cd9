// Sounds, a number in the title and, once allowed, notifications of the browser: when somebody starts
// waiting, when a note names us, and when the customer on show writes while we look elsewhere.
import { byId, toast } from "./page.js";
import { number as digits, t } from "./texts.js";

const SOUND = "desk:sound";
// Each kind of news has notes of its own: seconds from now, hertz.
const HANDOFF = [[0, 660], [0.13, 880]];
const MENTION = [[0, 880], [0.1, 880], [0.2, 1175]];
const MESSAGE = [[0, 523]];
const title = document.title;
let context;
let news = 0;
let badge = "";
let go = () => {};

export function start(navigate) {
  go = navigate;
  const button = byId("sound");
  const show = () => button.setAttribute("aria-pressed", String(localStorage.getItem(SOUND) !== "off"));
  button.addEventListener("click", () => {
    localStorage.setItem(SOUND, localStorage.getItem(SOUND) === "off" ? "on" : "off");
    show();
    if (localStorage.getItem(SOUND) === "on") {
      chime(HANDOFF);
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
  const name = row.querySelector(".row-name").textContent;
  const cause = row.querySelector(".cause")?.textContent ?? "";
  tell(t("is_waiting", { name }), cause, row.dataset.id, HANDOFF);
}

function tell(title, body, conversation, notes) {
  if (localStorage.getItem(SOUND) === "off") return;
  chime(notes);
  if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return;
  const shown = new Notification(title, { body, tag: conversation });
  shown.addEventListener("click", () => {
    window.focus();
    go(`/inbox/open/${conversation}`);
  });
}

// A colleague needs us: a sound of its own, and a toast that leads there.
export function announceMention(conversation, by) {
  const text = t("mentioned", { name: by });
  toast(text, false, undefined, `/inbox/mentions/${conversation}`);
  if (document.hidden) news += 1;
  write();
  tell(text, "", conversation, MENTION);
}

export function announceMessage() {
  if (!document.hidden) return;
  news += 1;
  write();
  if (localStorage.getItem(SOUND) !== "off") chime(MESSAGE);
}

export function showCounts(counts) {
  for (const [name, number] of Object.entries(counts)) {
    const element = document.querySelector(`[data-count="${name}"]`);
    if (!element) continue;
    element.textContent = digits(number);
    element.toggleAttribute("data-zero", number === 0);
  }
  if (!("waiting" in counts)) return;
  badge = counts.waiting ? `(${digits(counts.waiting)}) ` : "";
  write();
}

function write() {
  document.title = `${news ? "● " : ""}${badge}${title}`;
}

function chime(notes) {
  try {
    context ??= new AudioContext();
    for (const [at, pitch] of notes) {
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


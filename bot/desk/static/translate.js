// Translation: what was said, in our language under each message; what we write, in the customer's
// before it is sent. A translator that does not answer holds nothing up.
import { byId, me, post } from "./page.js";
import { t } from "./texts.js";
import * as thread from "./thread.js";

const MOST = 12;
const PAUSE_MS = 700;
const AGAIN_MS = 30000;
const LONGEST_MS = 10000;
const WRITE = `desk:translate:${me.id}`;
const READ = `desk:translations:${me.id}`;
const known = new Map();
const askedAt = new Map();
let timer;
let asked = 0;
let preview = null;

const conversation = () => byId("conversation").dataset;
const primary = (code) => code.split("-")[0];
const on = (name) => localStorage.getItem(name) !== "off";
export const wanted = () => Boolean(byId("translate")?.checked);

export function start() {
  document.addEventListener("desk:thread", update);
  document.addEventListener("change", (event) => {
    if (event.target.id === "translate") choose(event.target.checked);
  });
}

// Called when another conversation, or a new state of it, is on show.
export function refresh() {
  const box = byId("translate");
  if (box) box.checked = on(WRITE);
  if (!wanted()) hide();
  update();
}

function choose(checked) {
  localStorage.setItem(WRITE, checked ? "on" : "off");
  if (checked) soon(byId("text").value);
  else hide();
}

export function toggle() {
  if (byId("translate")) byId("translate").click();
}

export function toggleReading() {
  localStorage.setItem(READ, on(READ) ? "off" : "on");
  thread.steady(update);
}

// -- what was said

function update() {
  const { target, reads, language } = byId("conversation")?.dataset ?? {};
  if (!target) return;
  byId("thread").classList.toggle("untranslated", !on(READ));
  if (!on(READ)) return;
  const own = new Set(reads.split(" ").map(primary));
  const missing = [];
  for (const item of byId("thread").querySelectorAll(".message[data-author]")) {
    if (own.has(primary(item.dataset.language || language)) || item.querySelector(".translation")) continue;
    const { item: ident } = item.dataset;
    if (known.has(ident)) paint(item, known.get(ident));
    if (!known.get(ident)?.text && Date.now() - (askedAt.get(ident) ?? 0) > AGAIN_MS) missing.push(ident);
  }
  // The newest first: they are what is read now.
  const now = missing.reverse().slice(0, MOST);
  if (now.length) ask(now);
}

async function ask(idents) {
  const id = thread.id();
  for (const ident of idents) askedAt.set(ident, Date.now());
  const answers = await post(`/conversations/${id}/translations`, { ids: idents.join(" ") }).catch(() => []);
  for (const answer of answers) known.set(answer.id, answer);
  if (thread.id() === id && answers.length) thread.steady(update);
}

function paint(item, { text, note }) {
  item.querySelector(".translation")?.remove();
  const block = document.createElement("div");
  block.className = "translation";
  if (text) {
    const words = document.createElement("p");
    words.className = "text";
    words.dir = "auto";
    words.lang = conversation().target;
    words.textContent = text;
    block.append(words);
  }
  const line = document.createElement("span");
  line.className = "lang";
  line.textContent = note;
  block.append(line);
  item.querySelector(".bubble").after(block);
}

// -- what is written

export function soon(text) {
  clearTimeout(timer);
  if (preview && preview.of !== text.trim()) hide();
  if (wanted() && text.trim()) timer = setTimeout(() => show(text.trim()), PAUSE_MS);
}

// What to send for a text: itself, or its translation once it has been looked at; null until then.
export async function ready(text) {
  if (!wanted() || !text) return { text };
  if (preview?.of !== text) {
    clearTimeout(timer);
    await show(text);
    return null;
  }
  if (preview.pending) return null;
  return preview.text ? { text: preview.text, original: text, provider: preview.provider } : { text };
}

async function show(text) {
  const mine = ++asked;
  preview = { of: text, pending: true };
  write(t("translating"));
  const late = new Promise((resolve) => { setTimeout(() => resolve({ text: "", note: t("no_preview") }), LONGEST_MS); });
  const call = post(`/conversations/${thread.id()}/preview`, { text }).catch(() => ({ text: "", note: t("no_preview") }));
  const made = await Promise.race([call, late]);
  if (mine !== asked) return;
  preview = { of: text, ...made };
  write(made.note, made.text, made.language);
}

function write(note, text = "", language = "") {
  const box = byId("preview");
  if (!box) return;
  const words = document.createElement("p");
  words.className = "text";
  words.dir = "auto";
  words.lang = language;
  words.textContent = text;
  const line = document.createElement("span");
  line.textContent = note;
  thread.steady(() => {
    box.replaceChildren(...(text ? [words, line] : [line]));
    box.classList.toggle("bad", preview !== null && !preview.pending && !text);
    box.hidden = false;
  });
}

export function hide() {
  clearTimeout(timer);
  asked += 1;
  preview = null;
  if (byId("preview")) byId("preview").hidden = true;
}

// Writing: Enter sends, drafts stay in this browser, `/` opens the canned replies.
import * as attach from "./attach.js";
import * as menu from "./menu.js";
import { byId, me, newKey, post, Refused, toast } from "./page.js";
import { t } from "./texts.js";
import * as thread from "./thread.js";
import * as translate from "./translate.js";

const TYPING_EVERY_MS = 3000;
const COUNT_FROM = 3500;
const CLAIM_MS = 3000;
let mode = "reply";
// Notes only because replies were not allowed; whoever chose to write a note stays at it.
let forced = false;
let lastTyping = 0;
let sending = false;
let claimed = -CLAIM_MS;
export let onTyping = () => {};
export const setTyping = (tell) => { onTyping = tell; };

const box = () => byId("text");
const draftName = (id, kind) => `desk:draft:${me.id}:${id}:${kind}`;

function readDraft(id = thread.id(), kind = mode) {
  try {
    return JSON.parse(localStorage.getItem(draftName(id, kind))) ?? { text: "", key: newKey() };
  } catch {
    return { text: "", key: newKey() };
  }
}

// The key lives as long as the text: sending the same draft twice acts once.
function keepDraft() {
  const text = box().value;
  const name = draftName(thread.id(), mode);
  if (!text.trim()) return localStorage.removeItem(name);
  const old = readDraft();
  localStorage.setItem(name, JSON.stringify({ text, key: old.text === text ? old.key : newKey() }));
}

// A text is sent; what was typed behind it meanwhile stays a draft.
function forget(id, kind, text) {
  const left = (value) => {
    const written = value.trimStart();
    return written.startsWith(text) ? written.slice(text.length).trimStart() : value;
  };
  const name = draftName(id, kind);
  const draft = left(readDraft(id, kind).text);
  if (draft.trim()) localStorage.setItem(name, JSON.stringify({ text: draft, key: newKey() }));
  else localStorage.removeItem(name);
  if (thread.id() === id && mode === kind) box().value = left(box().value);
}

export function clearDrafts() {
  for (const name of Object.keys(localStorage)) {
    if (name.startsWith(`desk:draft:${me.id}:`)) localStorage.removeItem(name);
  }
}

export function start() {
  if (!thread.id()) return;
  byId("compose").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  attach.start(() => mode === "reply");
  box().addEventListener("keydown", onKey);
  box().addEventListener("input", onInput);
  for (const tab of document.querySelectorAll("[data-mode]")) {
    tab.addEventListener("click", () => setMode(tab.dataset.mode, true));
  }
  allow(true);
}

// Who claims and writes at once loses no letter: the box opens before the news is here. What the
// server refuses stays a draft.
export const expect = (won) => {
  claimed = won ? performance.now() : -CLAIM_MS;
  if (!won) allow();
};
const claiming = () => performance.now() - claimed < CLAIM_MS;

// Called again after every change of state.
export function allow(first = false) {
  if (!thread.id()) return;
  const may = byId("tools-hint").dataset.canReply === "yes";
  const reply = document.querySelector('[data-mode="reply"]');
  reply.disabled = !may;
  if (may) claimed = -CLAIM_MS;
  if (first || (!may && mode === "reply" && !claiming())) {
    forced = !may;
    setMode(may ? "reply" : "note", false);
  } else if (may && forced && mode === "note" && !box().value && document.activeElement !== box()) {
    forced = false;
    setMode("reply", false);
  }
}

export function setMode(wanted, focus) {
  mode = wanted;
  if (focus) forced = false;
  lastTyping = 0;
  for (const tab of document.querySelectorAll("[data-mode]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.mode === mode));
  }
  byId("composer").classList.toggle("noting", mode === "note");
  box().placeholder = mode === "note" ? t("note_hint") : t("reply_hint");
  box().value = readDraft().text;
  byId("held").hidden = true;
  attach.show(mode === "reply");
  translate.hide();
  menu.close();
  count();
  if (focus) box().focus();
}

export function write(kind) {
  const tab = document.querySelector(`[data-mode="${kind}"]`);
  if (tab && (!tab.disabled || claiming())) setMode(kind, true);
}

function onKey(event) {
  if (menu.key(event)) return;
  if (event.altKey && event.code === "KeyT") {
    event.preventDefault();
    translate.toggle();
  }
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    send();
  } else if (event.key === "Escape") box().blur();
}

function onInput() {
  keepDraft();
  count();
  menu.offer(box(), mode, replace);
  if (mode === "reply") translate.soon(box().value);
  if (Date.now() - lastTyping > TYPING_EVERY_MS) {
    lastTyping = Date.now();
    // Colleagues see who writes what; the customer only ever learns of a reply.
    onTyping(mode);
  }
}

function count() {
  const length = box().value.length;
  byId("counter").hidden = length < COUNT_FROM;
  byId("counter").textContent = t("counter", { length, most: box().maxLength });
}

async function send(anyway = false) {
  const text = box().value.trim();
  const id = thread.id();
  const kind = mode;
  const files = kind === "reply" ? attach.list(id) : [];
  if ((!text && !files.length) || sending) return;
  if (attach.busy()) return toast(t("wait_files"), true);
  keepDraft();
  const { key } = files.length ? { key: attach.key(id, text) } : readDraft();
  const said = kind === "reply" ? await translate.ready(text) : { text };
  // The translation is on show now: the next Enter sends it.
  if (!said || thread.id() !== id || sending) return;
  const fields = { ...said, key };
  if (files.length) fields.files = files.map((file) => file.id).join(",");
  if (kind === "reply" && !anyway) fields.last = thread.last();
  sending = true;
  byId("composer").setAttribute("aria-busy", "true");
  try {
    const answer = await post(`/conversations/${id}/${kind}`, fields);
    forget(id, kind, text);
    if (files.length) attach.clear(id);
    if (thread.id() !== id) return;
    byId("held").hidden = true;
    count();
    translate.hide();
    if (kind === "reply") thread.pending(answer.message, said.text || files.map((file) => file.name).join(", "));
  } catch (error) {
    if (error instanceof Refused && error.code === "thread-changed") hold(error.message);
    else toast(error.message, true);
  } finally {
    sending = false;
    byId("composer")?.removeAttribute("aria-busy");
  }
}

function hold(message) {
  const held = byId("held");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t("send_anyway");
  button.addEventListener("click", () => send(true));
  held.replaceChildren(document.createTextNode(message), button);
  held.hidden = false;
}

function replace(text, caret) {
  box().value = text;
  box().setSelectionRange(caret, caret);
  keepDraft();
  count();
  box().focus();
}

// A suggestion replaces an empty text and joins a begun one.
export function suggest(text) {
  if (mode !== "reply") write("reply");
  if (mode !== "reply") return;
  box().value = box().value.trim() ? `${box().value.trimEnd()}\n\n${text}` : text;
  keepDraft();
  count();
  box().focus();
}

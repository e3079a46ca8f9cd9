// The conversation: items are merged by id and time; the view sticks to the end only when it is there.
import { dayName, localise, sameDay } from "./clock.js";
import { byId, elements, me, toast } from "./page.js";
import { announceMessage } from "./notify.js";
import { t } from "./texts.js";

const LONG_TEXT_PX = 340;

export const id = () => byId("conversation").dataset.id;
export const last = () => byId("conversation").dataset.last ?? "";

export function start() {
  if (!id()) return;
  dress([...byId("thread").children]);
  localise(byId("middle"));
  toEnd();
  byId("scroll").addEventListener("scroll", () => {
    if (atEnd()) byId("to-end").hidden = true;
  }, { passive: true });
  byId("to-end").addEventListener("click", toEnd);
  byId("earlier")?.addEventListener("click", earlier);
}

export function known() {
  const found = {};
  for (const item of byId("thread")?.children ?? []) {
    if (item.dataset.item && item.dataset.digest) found[item.dataset.item] = item.dataset.digest;
  }
  return found;
}

function atEnd() {
  const box = byId("scroll");
  return box.scrollHeight - box.scrollTop - box.clientHeight < 80;
}

export function toEnd() {
  const box = byId("scroll");
  box.scrollTop = box.scrollHeight;
  byId("to-end").hidden = true;
}

// Change something around the text without losing its end from sight.
export function steady(change) {
  const stick = atEnd();
  change();
  if (stick) toEnd();
}

export function apply({ items, panels, last: newest }) {
  const stick = atEnd();
  const fresh = merge(items.map((item) => elements(item.html)[0]));
  byId("conversation").dataset.last = newest;
  for (const [part, html] of Object.entries(panels)) replacePanel(byId(part), html);
  const spoken = fresh.filter((item) => item.dataset.author === "customer");
  if (spoken.length) announceMessage();
  if (stick) toEnd();
  else if (fresh.length) byId("to-end").hidden = false;
  return spoken.length > 0;
}

function replacePanel(panel, html) {
  if (panel.lastHtml === html) return;
  panel.lastHtml = html;
  const typing = panel.querySelector("[data-keep]");
  const people = byId("people")?.textContent ?? "";
  const hadFocus = typing === document.activeElement;
  const focused = panel.contains(document.activeElement) && !hadFocus;
  panel.innerHTML = html;
  localise(panel);
  const successor = panel.querySelector("[data-keep]");
  if (typing && successor) {
    successor.value = typing.value;
    if (hadFocus) successor.focus();
  }
  if (byId("people")) byId("people").textContent = people;
  if (focused) byId("scroll").focus({ preventScroll: true });
}

function merge(nodes) {
  const thread = byId("thread");
  const added = [];
  for (const node of nodes) {
    const old = thread.querySelector(`[data-item="${CSS.escape(node.dataset.item)}"]`);
    if (old) {
      const open = old.querySelector("details[open]");
      if (open) node.querySelector("details")?.setAttribute("open", "");
      old.replaceWith(node);
      if (old.classList.contains("pending")) place(node);
    } else {
      place(node);
      added.push(node);
    }
  }
  dress(nodes);
  localise(thread);
  document.dispatchEvent(new Event("desk:thread"));
  return added;
}

function place(node) {
  const thread = byId("thread");
  const at = Number(node.dataset.at);
  let after = thread.lastElementChild;
  while (after && (!after.dataset.at || Number(after.dataset.at) > at || after.classList.contains("pending"))) {
    after = after.previousElementSibling;
  }
  thread.insertBefore(node, after ? after.nextElementSibling : thread.firstElementChild);
}

function dress(nodes) {
  for (const node of nodes) fold(node.querySelector(".bubble"));
  for (const line of byId("thread").querySelectorAll(".day")) line.remove();
  let previous = new Date(0);
  for (const item of [...byId("thread").children]) {
    const at = new Date(Number(item.dataset.at) * 1000);
    if (!sameDay(at, previous)) {
      const line = document.createElement("li");
      line.className = "day";
      line.textContent = dayName(at);
      item.before(line);
    }
    previous = at;
  }
}

function fold(bubble) {
  if (!bubble || bubble.scrollHeight < LONG_TEXT_PX) return;
  bubble.classList.add("folded");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet unfold";
  button.textContent = t("show_all");
  button.addEventListener("click", () => {
    button.textContent = t(bubble.classList.toggle("folded") ? "show_all" : "show_less");
  });
  bubble.append(button);
}

async function earlier() {
  const first = byId("thread").querySelector("[data-item]");
  const box = byId("scroll");
  const fromEnd = box.scrollHeight - box.scrollTop;
  const response = await fetch(`/conversations/${id()}/earlier?before=${first.dataset.at}`, {
    headers: { Accept: "application/json" },
  });
  if (!response.ok) return toast(t("no_answer"), true);
  const answer = await response.json();
  const there = known();
  merge(answer.items.filter((item) => !(item.id in there)).map((item) => elements(item.html)[0]));
  if (!answer.more) byId("earlier").remove();
  box.scrollTop = box.scrollHeight - fromEnd;
}

// Bring an earlier episode into sight, loading what is before it.
export async function goTo(at) {
  const items = () => [...byId("thread").querySelectorAll("[data-item]")];
  while (Number(items()[0]?.dataset.at ?? 0) > at && byId("earlier")) {
    const before = items().length;
    await earlier();
    if (items().length === before) break;
  }
  const first = items().find((item) => Number(item.dataset.at) >= at);
  first?.scrollIntoView({ block: "start" });
}

// Shown at once, replaced by the stored message when it arrives.
export function pending(messageId, text) {
  if (byId("thread").querySelector(`[data-item="${CSS.escape(messageId)}"]`)) return;
  const item = document.createElement("li");
  item.className = "message agent pending";
  item.dataset.item = messageId;
  item.dataset.at = String(Date.now() / 1000);
  const meta = document.createElement("div");
  meta.className = "meta";
  meta.textContent = `${me.name} · ${t("sending")}`;
  const bubble = document.createElement("div");
  bubble.className = "bubble";
  const words = document.createElement("p");
  words.className = "text";
  words.dir = "auto";
  words.textContent = text;
  bubble.append(words);
  item.append(meta, bubble);
  byId("thread").append(item);
  toEnd();
}

export function people(others) {
  const box = byId("people");
  if (!box) return;
  box.textContent = others.map(({ name, typing }) => t(typing || "looking", { name })).join(" · ");
}

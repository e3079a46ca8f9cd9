// The list: rows come and go as conversations change hands; what is there is never reordered.
import { localise } from "./clock.js";
import { byId, elements, fragment, me } from "./page.js";
import { announceWaiting } from "./notify.js";

const OPEN = new Set(["bot", "waiting", "assigned", "snoozed"]);
const OWED = new Set(["waiting", "assigned", "snoozed"]);
const seenAt = new Map();
let currentId = "";

const rows = () => byId("rows");
export const rowOf = (id) => rows().querySelector(`.row[data-id="${CSS.escape(id)}"]`);
export const ids = () => [...rows().querySelectorAll(".row")].map((row) => row.dataset.id);
export const view = () => rows().dataset.view;
export const shown = () => ({ ...rows().dataset });
export const address = (id) => `/inbox/${view()}${id ? `/${id}` : ""}${location.search}`;

export function start(id) {
  currentId = id;
  adopt(byId("list"));
}

function adopt(root) {
  for (const row of root.querySelectorAll(".row")) dress(row);
  localise(root);
}

function dress(row) {
  // Lists carry when this user last looked; rows that come over the socket are the same for all.
  seenAt.set(row.dataset.id, Math.max(Number(row.dataset.read ?? 0), seenAt.get(row.dataset.id) ?? 0));
  const current = row.dataset.id === currentId;
  row.classList.toggle("current", current);
  row.classList.toggle("gone", !belongs(row));
  // While the bot answers, nobody has to read along.
  const unread = OWED.has(row.dataset.state)
    && Number(row.dataset.customerAt) > (seenAt.get(row.dataset.id) ?? 0);
  row.classList.toggle("unread", unread && !(current && !document.hidden));
  const link = row.querySelector(".row-link");
  link.href = address(row.dataset.id);
  if (current) link.setAttribute("aria-current", "true");
  else link.removeAttribute("aria-current");
}

export function select(id) {
  currentId = id;
  for (const row of [...rows().querySelectorAll(".row")]) {
    if (row.dataset.id !== id && !belongs(row)) row.remove();
    else dress(row);
  }
  rowOf(id)?.scrollIntoView({ block: "nearest" });
}

export function markRead(id) {
  seenAt.set(id, Date.now() / 1000);
  const row = rowOf(id);
  if (row) dress(row);
}

function belongs(row) {
  const { state, owner, language, channel, labels } = row.dataset;
  const want = rows().dataset;
  if (want.search) return true;
  if (want.language && want.language !== language) return false;
  if (want.channel && want.channel !== channel) return false;
  if (want.label && !labels.split(" ").includes(want.label)) return false;
  if (want.topic && want.topic !== row.dataset.topic) return false;
  if (want.priority && Number(row.dataset.priority) < Number(want.priority)) return false;
  switch (want.view) {
    // Who is named stands in no row: the list comes again when a note names somebody.
    case "mentions": return Boolean(rowOf(row.dataset.id));
    case "mine": return state === "assigned" && owner === me.id;
    case "waiting": return state === "waiting";
    case "snoozed": return state === "snoozed" && owner === me.id;
    case "open": return OPEN.has(state);
    default: return !OPEN.has(state);
  }
}

export function apply(changed, gone = []) {
  // They went to a team this user is not in.
  for (const id of gone) rowOf(id)?.remove();
  for (const { id, html } of changed) {
    const [fresh] = elements(html);
    const old = rowOf(id);
    if (fresh.dataset.state === "waiting") announceWaiting(fresh, old);
    if (old) {
      const focused = old.contains(document.activeElement);
      // The open conversation stays in sight, greyed, until another is chosen.
      if (belongs(fresh) || id === currentId) old.replaceWith(fresh);
      else old.remove();
      if (focused) fresh.querySelector(".row-link")?.focus({ preventScroll: true });
    } else if (belongs(fresh) && !rows().dataset.search) {
      insert(fresh);
    } else continue;
    if (fresh.isConnected) {
      dress(fresh);
      localise(fresh);
    }
  }
}

function before(one, other) {
  const sort = rows().dataset.sort || (view() === "waiting" ? "priority" : "latest");
  const waits = (row) => (row.dataset.state === "waiting" ? Number(row.dataset.waiting) : Infinity);
  const orders = {
    priority: [Number(other.dataset.priority) - Number(one.dataset.priority), waits(one) - waits(other)],
    waiting: [waits(one) - waits(other)],
    latest: [],
  };
  const latest = Number(other.dataset.last) - Number(one.dataset.last);
  return ([...orders[sort], latest].find((step) => step && !Number.isNaN(step)) ?? 0) < 0;
}

function insert(fresh) {
  const place = [...rows().querySelectorAll(".row")].find((row) => before(fresh, row));
  const more = rows().querySelector(".more");
  // Behind the last one loaded: it comes with "show more".
  if (!place && more) return;
  rows().insertBefore(fresh, place ?? more);
}

export function tidy() {
  for (const text of rows().childNodes) if (text.nodeType === Node.TEXT_NODE) text.remove();
}

export function show(html) {
  byId("list").innerHTML = html;
  adopt(byId("list"));
  tidy();
}

export async function refresh() {
  const typed = document.querySelector(".search input");
  const [words, focused] = [typed.value, typed === document.activeElement];
  const html = await fragment(address(""), "list");
  const top = rows().scrollTop;
  show(html);
  rows().scrollTop = top;
  const field = document.querySelector(".search input");
  field.value = words;
  if (focused) field.focus();
}

export async function more(button) {
  button.disabled = true;
  const query = new URLSearchParams(location.search);
  query.set("offset", button.dataset.more);
  const fresh = elements(await fragment(`/inbox/${view()}?${query}`, "rows"));
  button.closest(".more").remove();
  for (const row of fresh) {
    if (row.dataset.id && rowOf(row.dataset.id)) continue;
    rows().append(row);
    if (row.classList.contains("row")) dress(row);
  }
  localise(rows());
}

export function neighbour(step) {
  const all = [...rows().querySelectorAll(".row")];
  const at = all.findIndex((row) => row.dataset.id === currentId);
  return all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step]?.dataset.id ?? "";
}


// The menu over the text: canned replies after `/`, colleagues after `@` in a note.
import { byId, get, me } from "./page.js";

const MOST = 8;
const CANNED = /^\/[^\s/]*$/;
const MENTION = /(?:^|[^\w@.+-])@([\w.@+-]*)$/;
let cannedReplies;
let colleagues;
let asked = 0;

// As people type it: without capitals and without accents of Latin letters.
const fold = (text) => text.normalize("NFKD").toLowerCase().replace(/([a-z])\p{M}+/gu, "$1").normalize("NFC");

// Offer what fits the text; `choose` gets the new text and where the caret goes.
export async function offer(box, mode, choose) {
  const mine = ++asked;
  const made = mode === "reply" ? await canned(box.value) : await people(box.value.slice(0, box.selectionStart));
  if (mine !== asked || !byId("canned-menu")) return;
  if (!made) return close();
  const { items, from } = made;
  const menu = byId("canned-menu");
  menu.replaceChildren(...items.slice(0, MOST).map((item, at) => option(item, at, () => {
    const rest = box.value.slice(mode === "reply" ? box.value.length : box.selectionStart);
    const start = box.value.slice(0, from) + item.insert;
    close();
    choose(start + rest, start.length);
  })));
  menu.hidden = items.length === 0;
  select(menu.firstElementChild);
}

async function canned(text) {
  if (!CANNED.test(text)) return null;
  cannedReplies ??= await get("/canned.json").catch(() => undefined);
  const wanted = fold(text.slice(1));
  const values = { customer: byId("conversation").dataset.customer, agent: me.name, business: me.business };
  const filled = (words) => words.replace(/\{(customer|agent|business)\}/g, (_, name) => values[name]);
  const hits = (cannedReplies ?? []).filter(({ shortcut, text: words }) =>
    fold(shortcut).includes(wanted) || fold(words).includes(wanted));
  // A shortcut that begins with what was typed comes first.
  hits.sort((a, b) => fold(b.shortcut).startsWith(wanted) - fold(a.shortcut).startsWith(wanted));
  const items = hits.map(({ shortcut, text: words }) => ({ name: `/${shortcut}`, words, insert: filled(words) }));
  return { items, from: 0 };
}

async function people(before) {
  const found = MENTION.exec(before);
  if (!found) return null;
  // Who can be called differs from one conversation to the next.
  const { id } = byId("conversation").dataset;
  if (colleagues?.of !== id) {
    const offered = await get(`/people.json?conversation=${id}`).catch(() => undefined);
    colleagues = offered && { of: id, offered };
  }
  const wanted = fold(found[1]);
  const hits = (colleagues?.offered ?? []).filter(({ login, name }) =>
    login.startsWith(wanted) || fold(name).split(/\s+/).some((word) => word.startsWith(wanted)));
  const items = hits.map(({ login, name }) => ({ name: `@${login}`, words: name, insert: `@${login} ` }));
  return { items, from: before.length - found[1].length - 1 };
}

function option({ name, words }, at, pick) {
  const button = document.createElement("button");
  button.type = "button";
  button.id = `menu-${at}`;
  button.setAttribute("role", "option");
  button.tabIndex = -1;
  const left = document.createElement("bdi");
  const right = document.createElement("span");
  left.textContent = name;
  right.textContent = words;
  right.dir = "auto";
  button.append(left, right);
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", pick);
  return button;
}

function select(one) {
  const menu = byId("canned-menu");
  menu.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
  if (!one) return byId("text").removeAttribute("aria-activedescendant");
  one.setAttribute("aria-selected", "true");
  byId("text").setAttribute("aria-activedescendant", one.id);
  return one.scrollIntoView({ block: "nearest" });
}

export function close() {
  const menu = byId("canned-menu");
  if (!menu) return;
  asked += 1;
  menu.hidden = true;
  select(null);
}

// Whether the menu took the key.
export function key(event) {
  const menu = byId("canned-menu");
  if (menu.hidden) return false;
  const all = [...menu.children];
  const at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) select(all[(at + step + all.length) % all.length]);
  else if (event.key === "Enter" || event.key === "Tab") all[at]?.click();
  else if (event.key === "Escape") close();
  else return false;
  event.preventDefault();
  return true;
}

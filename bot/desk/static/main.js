// The inbox: wires list, conversation, composer, keys and the socket together.
import { tick } from "./clock.js";
import { byId, fragment, me, post, toast } from "./page.js";
import * as actions from "./actions.js";
import * as composer from "./composer.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import * as notify from "./notify.js";
import * as socket from "./socket.js";
import { number, t } from "./texts.js";
import * as thread from "./thread.js";
import * as translate from "./translate.js";

let first = true;
let refreshing;

// The desk says which rows leave our sight, and only of those we have.
const ROWS_AT_ONCE = 400;

function listed() {
  const ids = list.ids();
  for (let from = 0; from === 0 || from < ids.length; from += ROWS_AT_ONCE) {
    socket.send({ type: "list", rows: ids.slice(from, from + ROWS_AT_ONCE), more: from > 0 });
  }
}

function look() {
  socket.send({ type: "look", conversation: thread.id(), known: thread.known() });
}

function read() {
  const id = thread.id();
  if (!id || document.hidden) return;
  list.markRead(id);
  post(`/conversations/${id}/read`).catch(() => {});
}

function enter() {
  document.body.classList.toggle("has-thread", Boolean(thread.id()));
  list.select(thread.id());
  thread.start();
  composer.start();
  translate.refresh();
  const back = document.querySelector(".head .back");
  if (back) back.href = list.address("");
  look();
  read();
}

// Show another list or conversation without loading the page; an address without id shows the list.
async function navigate(wanted, push = true) {
  const address = wanted || list.address("");
  const { pathname, search } = new URL(address, location.href);
  const [, , view, id] = pathname.split("/");
  // What is on show stays: the socket keeps it up to date, and somebody may be typing in it.
  const stays = id && id === thread.id();
  try {
    const [rows, middle] = await Promise.all([
      view === list.view() && search === location.search ? null : fragment(address, "list"),
      id && !stays ? fragment(address, "thread") : null,
    ]);
    if (push) history.pushState(null, "", address);
    if (rows) {
      list.show(rows);
      listed();
    }
    if (middle) byId("middle").innerHTML = middle;
    else if (!stays) nothing();
  } catch (error) {
    return toast(error.message, true);
  }
  if (!stays) return enter();
  list.select(id);
  byId("head").querySelector(".back").href = list.address("");
  read();
}

function nothing() {
  const empty = document.createElement("div");
  empty.className = "conversation nothing";
  empty.id = "conversation";
  empty.dataset.id = "";
  empty.append(document.createElement("p"));
  empty.firstChild.textContent = t("choose");
  byId("middle").replaceChildren(empty);
}

async function resync() {
  refreshing ??= list.refresh().catch(() => {}).finally(() => { refreshing = undefined; });
  await refreshing;
  list.select(thread.id());
  listed();
  look();
}

const frames = {
  open() {
    if (first) {
      listed();
      look();
    } else resync();
    first = false;
  },
  async refused() {
    // A socket is refused without a reason; a lost session must lead to the login.
    const answer = await fetch("/canned.json", { headers: { Accept: "application/json" } }).catch(() => null);
    if (answer?.status === 401) location.assign("/login");
  },
  hello({ assets, online }) {
    byId("online-count").textContent = number(online);
    if (assets !== me.assets) {
      const strip = byId("strip");
      const link = document.createElement("a");
      link.href = location.href;
      link.textContent = t("reload");
      strip.replaceChildren(t("updated"), link);
      strip.hidden = false;
    }
  },
  online({ agents }) {
    byId("online-count").textContent = number(agents);
  },
  rows({ rows, counts, gone }) {
    list.apply(rows, gone);
    list.tidy();
    notify.showCounts(counts);
    // It went to a team this user is not in.
    if (gone?.includes(thread.id())) navigate(list.address(""));
  },
  thread(frame) {
    if (frame.conversation !== thread.id()) return;
    const spoken = thread.apply(frame);
    composer.allow();
    translate.refresh();
    if (spoken) read();
    const back = document.querySelector(".head .back");
    if (back) back.href = list.address("");
  },
  saved({ counts }) {
    notify.showCounts(counts);
  },
  mention({ conversation, by }) {
    notify.announceMention(conversation, by);
    if (list.view() === "mentions") resync();
  },
  people({ conversation, people }) {
    if (conversation === thread.id()) thread.people(people);
  },
  resync,
};

document.addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  const more = event.target.closest("[data-more]");
  if (more) return list.more(more).then(listed).catch((error) => toast(error.message, true));
  const link = event.target.closest(".row-link, .head .back, .views a");
  if (!link) return;
  event.preventDefault();
  // Another list keeps the conversation on show, unless there is room for one of them only.
  const keep = link.closest(".views") && thread.id() && matchMedia("(min-width: 761px)").matches;
  const { pathname, search } = new URL(link.href);
  navigate(pathname + (keep ? `/${thread.id()}` : "") + search);
});
document.querySelector('form[action="/logout"]').addEventListener("submit", composer.clearDrafts);
addEventListener("popstate", () => navigate(location.pathname + location.search, false));
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  list.select(thread.id());
  read();
});
setInterval(() => tick(), 1000);

list.start(thread.id());
list.tidy();
notify.start(navigate);
actions.start(navigate);
keys.start(navigate);
translate.start();
composer.setTyping((kind) => socket.send({ type: "typing", kind }));
enter();
socket.connect(frames);

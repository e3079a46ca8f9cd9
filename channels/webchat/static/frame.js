// The chat in its iframe: ties connection, store and screen together, and talks with the loader.

import { Composer } from "./composer.js";
import { $ } from "./dom.js";
import { Header, HUMAN } from "./header.js";
import { Gate, Rating, askToForget, menu } from "./panels.js";
import { addressOf, save, saveText } from "./saving.js";
import { Store } from "./store.js";
import { Texts } from "./texts.js";
import { dress } from "./theme.js";
import { Transport } from "./transport.js";
import { View } from "./view.js";

const TYPING_BOT_MS = 12_000;
const TYPING_AGENT_MS = 6_000;
const STRICTNESS = ["off", "line", "click"];

const query = new URLSearchParams(location.search);
const asked = (name) => query.get(name) ?? "";
const { dataset } = document.documentElement;
const locale = asked("language") || navigator.language || "en";
const options = {
  site: asked("site") || "demo",
  origin: asked("origin"),
  title: asked("title"),
  wording: dataset.consentVersion,
  locale,
  zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
};
const isAlone = parent === window;
// The page may ask for more than our settings, never for less.
const strict = (mode) => Math.max(0, STRICTNESS.indexOf(mode));
const consent = STRICTNESS[Math.max(strict(dataset.consent), strict(asked("consent")))];

const texts = new Texts(dataset.languages.split(" "));
const store = new Store(options.site);
let isOpen = isAlone;
let isOnline = false;
let isForgotten = false;
let latest = 0;
// As `latest`, but by the server's clock alone: this browser's may be hours off.
let heard = 0;
const unread = new Set();

const gate = new Gate(texts);
const view = new View(texts, {
  tap: (reply) => send({ text: reply.title, quick_reply: reply.id }),
  retry: (id) => transport.retry(id),
  picture: (file) => addressOf(file, transport),
  open: async (file) => save(await addressOf(file, transport), file.name),
});
const transport = new Transport(options, store, {
  session: showSession,
  history: showHistory,
  frame: showFrame,
  state: showConnection,
  delivery: showDelivery,
  reload,
});
const header = new Header(texts, () => transport.request("queue"));
const composer = new Composer(texts, {
  send,
  typing: () => header.isHuman && transport.typing(),
  token: () => store.read().token ?? "",
});
const rating = new Rating(texts, {
  rate: (body) => transport.request("rating", { body }),
  done: () => {
    view.announce(texts.get("rate_thanks"));
    $("text").focus();
  },
  dismissed: () => {
    store.change({ unrated: heard });
    $("text").focus();
  },
});
const menus = menu();
askToForget(texts, forget, () => isForgotten);

// Language

async function useLanguage(tag) {
  if (!(await texts.use(tag))) return;
  store.change({ language: texts.language });
  label();
}

function label() {
  const name = (id, key) => {
    const text = texts.get(key);
    $(id).setAttribute("aria-label", text);
    $(id).title = text;
  };
  for (const id of ["close", "more", "language"]) name(id, id);
  for (const id of ["person", "transcript", "policy", "forget"]) {
    $(id).lastElementChild.textContent = texts.get(id);
  }
  $("title").textContent = options.title || dataset.business || texts.get("title");
  document.title = $("title").textContent;
  $("log").setAttribute("aria-label", texts.get("log"));
  $("privacy").textContent = consent === "off" ? "" : texts.get("privacy");
  $("newer").textContent = texts.get("newer");
  $("gate-policy").textContent = texts.get("policy");
  $("language").value = texts.language;
  $("language-code").textContent = texts.language.toUpperCase();
  header.show();
  header.showBanner();
  for (const part of [view, composer, rating, gate]) part.relabel();
  const words = { title: document.title };
  for (const key of ["open", "close", "unread"]) words[key] = texts.get(key, { n: "{n}" });
  tell({ words });
}

function showLanguages(codes) {
  const named = (code) => Object.assign(new Option(texts.nameOf(code), code), { lang: code });
  $("language").replaceChildren(...codes.filter((code) => texts.known(code)).map(named));
  $("language").value = texts.language;
}

// What comes from the server

function showSession(session, isOther) {
  // Another customer, another conversation: nothing of the old one stays on the screen.
  if (isOther) wipe();
  composer.use(session);
  showLanguages(session.languages);
  // Their file may have been out of reach when the page began.
  if (!texts.language) useLanguage(texts.known(locale) ?? texts.languages[0]);
  label();
}

function showHistory(history) {
  view.clear();
  unread.clear();
  if (history.language) useLanguage(history.language);
  // Seen for the first time on this device, a customer's conversation is not news.
  const newest = Math.max(0, ...history.messages.map(({ sent_at }) => sent_at));
  if (store.read().read === undefined) store.change({ read: newest });
  for (const message of history.messages) show(message);
  // Whatever older messages said about it.
  header.take(history.state);
  for (const message of store.pending) showPending(message);
  if (history.rate && (store.read().unrated ?? 0) < heard) rating.show();
  else rating.hide();
  view.listen();
  greet();
  read();
}

// An empty chat that is looked at asks for the bot's greeting; the fixed id makes it one greeting.
function greet() {
  if (!isOpen || latest || !transport.session || store.pending.length) return;
  if (!transport.cursor) return;
  transport.send({ id: "start", kind: "start", locale });
  expectBot();
}

function expectBot() {
  if (header.isHuman || header.state === "waiting") return;
  view.setTyping(texts.get("typing_bot"), TYPING_BOT_MS);
}

function showFrame(frame) {
  if (frame.type === "message") show(frame.message);
  else if (frame.type === "typing" && header.isHuman) {
    const name = header.agent || texts.get("agent");
    view.setTyping(texts.get("typing_agent", { name }), TYPING_AGENT_MS);
  } else if (frame.type === "state") changeState(frame.state, frame.agent);
  else if (frame.type === "erased") showForgotten();
}

function show(message) {
  const { author } = message;
  if (author !== "customer") {
    view.setTyping(null);
    if (author !== "agent" && message.language) useLanguage(message.language);
  }
  if (message.state || message.agent) {
    header.take(message.state ?? header.state, message.agent, message.photo);
  }
  if (!view.add(message)) return;
  heard = Math.max(heard, message.sent_at);
  latest = Math.max(latest, heard);
  if (author === "customer") store.removePending(message.client);
  else unread.add(message);
  if (message.state === "resolved") rating.show();
  else if (message.state || author === "customer") rating.hide();
  read();
}

// Told without a message: say who came or went, unless a notice has just said so.
function changeState(next, name) {
  const { state: was, agent: before } = header;
  header.take(next, name);
  if (HUMAN.has(next) === HUMAN.has(was) || view.last?.author === "automatic") return;
  const who = (HUMAN.has(next) ? header.agent : before) || texts.get("agent");
  if (HUMAN.has(next)) view.announce(texts.get("joined", { name: who }));
  else if (next === "bot") view.announce(texts.get("left", { name: who }));
}

function showConnection(next) {
  isOnline = next === "online";
  header.showConnection(next);
  $("form").inert = next === "refused" || Boolean(gate.kind);
  if (!isOnline) return;
  greet();
  if (isOpen && !document.hidden) transport.read();
}

function showDelivery(id, delivery, { message, code, retryAfter } = {}) {
  const overBy = code === "too-many" ? texts.get("too_many", { n: retryAfter }) : "";
  if (message) view.rename(id, message);
  view.setDelivery(id, delivery, overBy);
  if (delivery === "failed") view.setTyping(null);
}

function read() {
  if (isOpen && !document.hidden) {
    if (heard > (store.read().read ?? 0)) store.change({ read: heard });
    if (unread.size) transport.read();
    unread.clear();
  }
  const seen = store.read().read ?? 0;
  for (const message of unread) if (message.sent_at <= seen) unread.delete(message);
  tell({ unread: unread.size });
}

// What the customer does

function send({ text, quick_reply, attachments }) {
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const message = { id, text, quick_reply, locale, files: attachments, at: Date.now() / 1000 };
  if (!gate.kind) showPending(message);
  transport.send(message);
  if (isOnline) expectBot();
}

function showPending(message) {
  if (message.kind === "start") return;
  const { id, text, at, failed, files: attachments } = message;
  // Never before what is there: this browser's clock may be behind the server's.
  const sent_at = Math.max(at, latest);
  view.forgetSent();
  view.add({ id, author: "customer", text, attachments, sent_at });
  view.setDelivery(id, failed ? "failed" : "waiting");
  latest = Math.max(latest, sent_at);
}

// Consent, and deleting everything

function needsConsent() {
  return consent === "click" && store.read().consent !== dataset.consentVersion;
}

function enter() {
  if (!needsConsent()) {
    header.connection = "connecting";
    tell({ keep: true });
    transport.start();
    return;
  }
  // Nothing is written, here or there, before the click.
  store.hold = true;
  gate.show("consent", agree, isAlone ? null : () => tell({ close: true }));
}

function agree() {
  store.change({ consent: dataset.consentVersion });
  store.release();
  ungate();
  tell({ keep: true });
  for (const message of store.pending) showPending(message);
  transport.start();
  $("text").focus();
}

function ungate() {
  gate.hide();
  header.show();
  composer.resize();
}

async function forget() {
  await transport.request("erase", { body: { confirm: true } });
  showForgotten();
}

// Every window of this visitor hears of it.
function showForgotten() {
  if (isForgotten) return;
  isForgotten = true;
  transport.stop();
  store.clear();
  store.hold = true;
  wipe();
  tell({ keep: false, unread: 0 });
  header.connection = "";
  header.showBanner();
  gate.show("erased", () => {
    isForgotten = store.hold = false;
    ungate();
    enter();
    if (gate.kind) gate.focus();
    else $("text").focus();
  });
  header.show();
  if (isOpen) gate.focus();
}

// The page around us

function tell(what) {
  if (!isAlone) parent.postMessage(what, options.origin || "*");
}

// The page around us keeps what it asks until the new page is ready.
function reload() {
  tell({ ready: false });
  location.reload();
}

function hear({ source, origin, data }) {
  if (isAlone || source !== parent || (options.origin && origin !== options.origin)) return;
  const { wish, value } = data ?? {};
  if (wish === "open") {
    isOpen = true;
    view.toEnd();
    read();
    greet();
    if (gate.kind) gate.focus();
    else $("text").focus();
  } else if (wish === "closed") {
    isOpen = false;
  } else if (wish === "send" && typeof value === "string" && value.trim()) {
    if (!isForgotten) send({ text: value.trim() });
  } else if (wish === "identify" && typeof value === "string") {
    transport.renew(value);
  } else if (wish === "logout") {
    transport.stop();
    // The token is read before it is cleared; without an answer the session ends by itself.
    if (store.read().token) transport.request("logout", { body: {}, keepalive: true }).catch(() => {});
    store.clear();
    isForgotten = store.hold = false;
    wipe();
    transport.renew();
    ungate();
    enter();
    header.show();
  }
}

// Drafts too: whoever comes next must neither read nor send them.
function wipe() {
  latest = heard = 0;
  unread.clear();
  rating.hide();
  header.take("");
  view.clear();
  composer.clear();
  menus.close();
  $("dialog").close();
}

addEventListener("message", hear);
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing || $("dialog").open) return;
  if (!menus.escape()) tell({ close: true });
});
document.addEventListener("visibilitychange", read);
store.onOtherSession(() => isForgotten || reload());
$("close").addEventListener("click", () => tell({ close: true }));
$("close").hidden = isAlone;
$("person").addEventListener("click", () => send({ text: texts.get("person_message") }));
$("transcript").addEventListener("click", () => saveText(view.transcript(), document.title));
$("language").addEventListener("change", async ({ target }) => {
  await useLanguage(target.value);
  if (!gate.kind) send({ text: texts.get("speak") });
});
for (const id of ["policy", "gate-policy"]) {
  if (dataset.privacy) $(id).href = dataset.privacy;
  else $(id).parentElement.hidden ||= id === "policy";
}

dress(asked("colour"), asked("theme"));
await texts.use(texts.known(store.read().language) ?? texts.known(locale) ?? texts.languages[0]);
showLanguages(texts.languages);
enter();
label();
composer.resize();
tell({ ready: true });

// The chat in its iframe: ties connection, store and screen together, and talks with the loader.

import { Store } from "./store.js";
import { Texts } from "./texts.js";
import { Transport } from "./transport.js";
import { View } from "./view.js";

const TYPING_BOT_MS = 12_000;
const TYPING_AGENT_MS = 6_000;
const TYPING_TELL_MS = 3_000;
const HUMAN = new Set(["assigned", "snoozed"]);

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const options = {
  site: query.get("site") ?? "demo",
  origin: query.get("origin") ?? "",
  title: query.get("title") ?? "",
};
const isAlone = parent === window;
const locale = query.get("language") || navigator.language || "en";

const texts = await Texts.load();
const store = new Store(options.site);
let isOpen = isAlone;
let isOnline = false;
let limit = 4000;
let state = "";
let agent = "";
let latest = 0;
let typingTimer;
let toldTyping = 0;
let connection = "connecting";
let business = "";
const unread = new Set();

const view = new View(texts, {
  tap: (reply) => send({ text: reply.title, quick_reply: reply.id }),
  retry: (id) => transport.retry(id),
});
const transport = new Transport(options, store, {
  session: showSession,
  history: showHistory,
  frame: showFrame,
  state: showConnection,
  delivery: showDelivery,
});

// Colours and language

function colour() {
  const accent = query.get("colour") ?? "";
  if (!/^#[0-9a-f]{6}$/i.test(accent)) return;
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
  const style = document.documentElement.style;
  style.setProperty("--accent", accent);
  style.setProperty("--on-accent", r * 0.299 + g * 0.587 + b * 0.114 > 150 ? "#111" : "#fff");
}

function useLanguage(tag) {
  if (!texts.use(tag)) return;
  store.change({ language: texts.language });
  label();
}

function label() {
  const name = (id, key) => {
    const text = texts.get(key);
    $(id).setAttribute("aria-label", text);
    $(id).title = text;
  };
  $("title").textContent = options.title || business || texts.get("title");
  document.title = $("title").textContent;
  name("close", "close");
  name("transcript", "transcript");
  name("send", "send");
  name("language", "language");
  $("log").setAttribute("aria-label", texts.get("log"));
  $("form").setAttribute("aria-label", texts.get("write"));
  $("person").lastElementChild.textContent = texts.get("person");
  $("text").placeholder = texts.get("write");
  $("text").setAttribute("aria-label", texts.get("write"));
  $("privacy").textContent = texts.get("privacy");
  $("newer").textContent = texts.get("newer");
  $("language").value = texts.language;
  $("language-code").textContent = texts.language.toUpperCase();
  showStatus();
  showBanner();
  view.relabel();
  const words = { title: document.title };
  for (const key of ["open", "close", "unread"]) words[key] = texts.get(key, { n: "{n}" });
  tell({ words });
}

function showStatus() {
  const named = agent ? texts.get("status_agent", { name: agent }) : "";
  const line = HUMAN.has(state)
    ? named || texts.get("status_agent_unnamed")
    : texts.get(state === "waiting" ? "status_waiting" : "status_bot");
  if ($("status").textContent !== line) $("status").textContent = line;
  $("chat").dataset.state = state || "bot";
  $("initial").textContent = HUMAN.has(state) && agent ? [...agent][0].toUpperCase() : "";
}

function showBanner() {
  const key = { offline: "offline", refused: "unavailable", connecting: "connecting" }[connection];
  const text = key ? texts.get(key) : "";
  $("banner").hidden = !text;
  $("banner").dataset.state = connection;
  if ($("banner").textContent !== text) $("banner").textContent = text;
}

// What comes from the server

function showSession(session) {
  limit = session.max_text_chars;
  business = session.business;
  const select = $("language");
  select.replaceChildren(
    ...session.languages
      .filter((code) => texts.known(code))
      .map((code) => Object.assign(new Option(texts.nameOf(code), code), { lang: code })),
  );
  label();
}

function showHistory(history) {
  view.clear();
  unread.clear();
  if (history.language) useLanguage(history.language);
  for (const message of history.messages) show(message);
  // Whatever older messages said about it.
  take(history.state);
  for (const message of store.pending) showPending(message);
  view.listen();
  showStatus();
  greet();
}

// An empty chat that is looked at asks for the bot's greeting; the fixed id makes it one greeting.
function greet() {
  if (!isOpen || latest || !transport.session || store.pending.length) return;
  if (!transport.cursor) return;
  transport.send({ id: "start", kind: "start", locale });
  expectBot();
}

function showFrame(frame) {
  if (frame.type === "message") show(frame.message);
  else if (frame.type === "typing" && HUMAN.has(state)) showTyping("typing_agent", TYPING_AGENT_MS);
  else if (frame.type === "state") changeState(frame.state, frame.agent);
}

function show(message) {
  const { author } = message;
  if (author !== "customer") {
    stopTyping();
    if (author !== "agent" && message.language) useLanguage(message.language);
  }
  if (message.agent) ({ agent } = message);
  if (message.state) take(message.state);
  if (!view.add(message)) return;
  latest = Math.max(latest, message.sent_at);
  if (author === "customer") store.removePending(message.client);
  else unread.add(message);
  read();
  showStatus();
}

function take(next) {
  state = next;
  if (!HUMAN.has(state)) agent = "";
}

// Told without a message: say who came or went, unless a notice has just said so.
function changeState(next, name) {
  const was = state;
  const before = agent;
  if (name) agent = name;
  take(next);
  showStatus();
  if (HUMAN.has(next) === HUMAN.has(was) || view.last?.author === "automatic") return;
  const who = (HUMAN.has(next) ? agent : before) || texts.get("agent");
  if (HUMAN.has(next)) view.announce(texts.get("joined", { name: who }));
  else if (next === "bot") view.announce(texts.get("left", { name: who }));
}

function showConnection(next) {
  connection = next;
  isOnline = next === "online";
  clearTimeout(showConnection.timer);
  // A blink of the line is not worth a banner.
  if (next === "connecting") showConnection.timer = setTimeout(showBanner, 1500);
  else showBanner();
  $("form").inert = next === "refused";
  if (isOnline) greet();
}

function showDelivery(id, delivery, { message, code, retryAfter } = {}) {
  const overBy = code === "too-many" ? texts.get("too_many", { n: retryAfter }) : "";
  if (message) view.rename(id, message);
  view.setDelivery(id, delivery, overBy);
  if (delivery === "failed") stopTyping();
}

// What was read

function read() {
  if (isOpen && !document.hidden) {
    if (latest > (store.read().read ?? 0)) store.change({ read: latest });
    unread.clear();
  }
  const seen = store.read().read ?? 0;
  for (const message of unread) if (message.sent_at <= seen) unread.delete(message);
  tell({ unread: unread.size });
}

// Typing

function expectBot() {
  if (!HUMAN.has(state) && state !== "waiting") showTyping("typing_bot", TYPING_BOT_MS);
}

function showTyping(key, duration) {
  view.setTyping(texts.get(key, { name: agent || texts.get("agent") }));
  clearTimeout(typingTimer);
  typingTimer = setTimeout(stopTyping, duration);
}

function stopTyping() {
  clearTimeout(typingTimer);
  view.setTyping(null);
}

// What the customer does

function send({ text, quick_reply }) {
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const message = { id, text, quick_reply, locale, at: Date.now() / 1000 };
  showPending(message);
  transport.send(message);
  if (isOnline) expectBot();
}

function showPending(message) {
  if (message.kind === "start") return;
  const { id, text, at, failed } = message;
  // Never before what is there: this browser's clock may be behind the server's.
  const sent_at = Math.max(at, latest);
  view.forgetSent();
  view.add({ id, author: "customer", text, sent_at });
  view.setDelivery(id, failed ? "failed" : "waiting");
  latest = Math.max(latest, sent_at);
}

function submit(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || over()) return;
  $("text").value = "";
  resize();
  send({ text });
  $("text").focus();
}

function over() {
  // The server counts code points.
  const extra = [...$("text").value.trim()].length - limit;
  $("problem").textContent = extra > 0 ? texts.get("too_long", { n: extra }) : "";
  return extra > 0;
}

function resize() {
  const field = $("text");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 132)}px`;
  $("send").disabled = !field.value.trim();
  over();
}

function tellTyping() {
  if (!HUMAN.has(state) || Date.now() - toldTyping < TYPING_TELL_MS) return;
  toldTyping = Date.now();
  transport.typing();
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([view.transcript()], { type: "text/plain" }));
  link.download = `${document.title.replace(/[^\p{L}\p{N}]+/gu, "-")}.txt`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// The page around us

function tell(what) {
  if (!isAlone) parent.postMessage(what, options.origin || "*");
}

function hear({ source, origin, data }) {
  if (isAlone || source !== parent || (options.origin && origin !== options.origin)) return;
  const { wish, value } = data ?? {};
  if (wish === "open") {
    isOpen = true;
    view.toEnd();
    read();
    greet();
    $("text").focus();
  } else if (wish === "closed") {
    isOpen = false;
  } else if (wish === "send" && typeof value === "string" && value.trim()) {
    send({ text: value.trim() });
  } else if (wish === "identify" && typeof value === "string") {
    begin(value);
  } else if (wish === "logout") {
    store.clear();
    begin();
  }
}

// Another customer, another conversation: nothing of the old one stays on the screen.
function begin(identity) {
  latest = 0;
  state = agent = "";
  view.clear();
  transport.renew(identity);
}

addEventListener("message", hear);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) tell({ close: true });
});
document.addEventListener("visibilitychange", read);
store.onOtherSession(() => location.reload());
$("form").addEventListener("submit", submit);
$("text").addEventListener("input", () => {
  resize();
  tellTyping();
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});
$("close").addEventListener("click", () => tell({ close: true }));
$("close").hidden = isAlone;
$("person").addEventListener("click", () => send({ text: texts.get("person_message") }));
$("transcript").addEventListener("click", save);
$("language").addEventListener("change", ({ target }) => {
  useLanguage(target.value);
  send({ text: texts.get("speak") });
});

colour();
texts.use(texts.known(store.read().language) ?? locale);
label();
resize();
transport.start();
tell({ ready: true });

// What is on the screen. Whatever a customer or an agent wrote enters by textContent only.

// Web addresses, and what reads left to right in every script: order numbers, dates, telephones.
const LINK = "https?:\\/\\/[^\\s<>\"']+[^\\s<>\"'.,;:!?)\\]}]";
const CODE = "[A-Za-z0-9]+(?:[-_/.#:][A-Za-z0-9]+)+|\\+?\\d+(?:[ -]\\d+)+";
const SPECIAL = new RegExp(`(${LINK})|${CODE}`, "g");
const NEAR_END_PX = 80;
const GROUP_S = 300;
// A message longer than the window is shown from its beginning, with this much before it.
const ABOVE_PX = 12;

const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export class View {
  // `on`: tap(quickReply), retry(id).
  constructor(texts, on) {
    Object.assign(this, { texts, on });
    this.log = $("log");
    this.shown = new Map();
    this.last = null;
    this.typing = null;
    this.log.addEventListener("scroll", () => {
      if (this.isAtEnd()) $("newer").hidden = true;
    });
    $("newer").addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.wasAtEnd && this.toEnd()).observe(this.log);
  }

  isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    this.wasAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    return this.wasAtEnd;
  }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
    this.wasAtEnd = true;
    $("newer").hidden = true;
  }

  clear() {
    this.log.setAttribute("aria-live", "off");
    for (const { node } of this.shown.values()) node.remove();
    this.log.querySelectorAll(".day, .replies, .notice").forEach((node) => node.remove());
    this.shown.clear();
    this.last = null;
    this.setTyping(null);
  }

  // After the history is in: from here on a screen reader hears what is added.
  listen() {
    this.toEnd();
    requestAnimationFrame(() => this.log.setAttribute("aria-live", "polite"));
  }

  has(id) {
    return this.shown.has(id);
  }

  // One message under several ids: ours while it is under way, then the server's.
  rename(from, to) {
    const known = this.shown.get(from);
    if (!known || this.shown.has(to)) return;
    this.shown.set(to, known);
  }

  // Returns false for a message that is on the screen already.
  add(message) {
    if (this.shown.has(message.id) || (message.client && this.shown.has(message.client))) {
      if (message.client) this.rename(message.client, message.id);
      return false;
    }
    const follow = this.isAtEnd() || message.author === "customer";
    this.#day(message);
    this.log.querySelector(".replies")?.remove();
    const node = message.author === "automatic" ? this.#notice(message) : this.#bubble(message);
    this.log.insertBefore(node, this.typing);
    if (message.quick_replies?.length) this.#replies(message);
    this.shown.set(message.id, { node, message });
    if (message.client) this.shown.set(message.client, { node, message });
    this.last = message;
    if (!follow) $("newer").hidden = false;
    else if (this.log.scrollHeight - node.offsetTop < this.log.clientHeight) this.toEnd();
    else this.log.scrollTop = node.offsetTop - ABOVE_PX;
    return true;
  }

  // A line that no message stands behind, such as "Asha has joined".
  announce(text) {
    const node = element("p", "notice", text);
    node.dir = "auto";
    this.log.insertBefore(node, this.typing);
    this.last = null;
    if (this.wasAtEnd) this.toEnd();
  }

  #day(message) {
    const day = new Date(message.sent_at * 1000).toDateString();
    if (this.last && new Date(this.last.sent_at * 1000).toDateString() === day) return;
    if (!this.last && this.log.querySelector(".day")?.dataset.day === day) return;
    const node = element("p", "day");
    node.dataset.day = day;
    node.dataset.time = message.sent_at;
    this.log.insertBefore(node, this.typing);
    this.#writeDay(node);
    this.last = null;
  }

  #writeDay(node) {
    const date = new Date(node.dataset.time * 1000);
    node.textContent =
      date.toDateString() === new Date().toDateString()
        ? this.texts.get("today")
        : this.#format(date, { weekday: "long", day: "numeric", month: "long" });
  }

  #format(date, options) {
    // Latin digits in every language: order numbers and times are read side by side.
    const locale = `${this.texts.language}-u-nu-latn-ca-gregory`;
    return new Intl.DateTimeFormat(locale, options).format(date);
  }

  #notice(message) {
    const node = element("p", "notice");
    node.dir = "auto";
    if (message.language) node.lang = message.language;
    node.textContent = message.text;
    return node;
  }

  #bubble(message) {
    const { author, text, language, sent_at } = message;
    const node = element("div", `message ${author}`);
    const isSame = this.last?.author === author && this.last.agent === message.agent;
    if (isSame && sent_at - this.last.sent_at < GROUP_S) node.classList.add("grouped");
    const label = element("p", "label");
    label.append(element("bdi", "name"), element("time"));
    node.append(label, element("p", "text"));
    const body = node.lastChild;
    body.dir = "auto";
    if (language) body.lang = language;
    body.append(...this.#parts(text, author));
    if (author === "customer") node.append(element("p", "delivery"));
    node.dataset.author = author;
    if (message.agent) node.dataset.agent = message.agent;
    node.dataset.time = sent_at;
    this.#writeLabel(node);
    return node;
  }

  #writeLabel(node) {
    const { author, agent, time } = node.dataset;
    const role = this.texts.get({ customer: "you", bot: "bot" }[author] ?? "agent");
    const date = new Date(time * 1000);
    node.querySelector(".name").textContent = agent ? `${agent} · ${role}` : role;
    const clock = node.querySelector("time");
    clock.dateTime = date.toISOString();
    clock.textContent = this.#format(date, { hour: "numeric", minute: "2-digit" });
  }

  // Web addresses become links (but not a customer's own), codes keep their order among
  // right-to-left words; nothing else in a text means anything.
  #parts(text, author) {
    const parts = [];
    let at = 0;
    for (const match of text.matchAll(SPECIAL)) {
      const isLink = match[1] && author !== "customer";
      const part = element(isLink ? "a" : "bdi", "", match[0]);
      part.dir = "ltr";
      if (isLink) {
        part.href = match[0];
        part.target = "_blank";
        part.rel = "noopener noreferrer nofollow";
      }
      parts.push(text.slice(at, match.index), part);
      at = match.index + match[0].length;
    }
    return [...parts, text.slice(at)];
  }

  #replies(message) {
    const group = element("div", "replies");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", this.texts.get("replies"));
    for (const reply of message.quick_replies) {
      const button = element("button", "", reply.title);
      button.type = "button";
      button.dir = "auto";
      if (message.language) button.lang = message.language;
      button.addEventListener("click", (event) => {
        // The button goes away; a keyboard user must not lose their place.
        if (event.detail === 0) $("text").focus();
        this.on.tap(reply);
      });
      group.append(button);
    }
    this.log.insertBefore(group, this.typing);
  }

  setDelivery(id, state, reason = "") {
    const known = this.shown.get(id);
    if (!known) return;
    Object.assign(known.node.dataset, { delivery: state, reason });
    this.#writeDelivery(known.node, id);
    if (this.wasAtEnd) this.toEnd();
  }

  // Only the newest of one's own messages says that it was sent.
  forgetSent() {
    this.log.querySelectorAll('[data-delivery="sent"]').forEach((node) => {
      delete node.dataset.delivery;
      node.querySelector(".delivery").replaceChildren();
    });
  }

  #writeDelivery(node, id = node.dataset.client) {
    const { delivery, reason } = node.dataset;
    const line = node.querySelector(".delivery");
    if (!line || !delivery) return;
    node.dataset.client = id;
    line.replaceChildren();
    line.append(reason || this.texts.get(delivery === "waiting" ? "sending" : delivery));
    if (delivery !== "failed") return;
    const again = element("button", "", this.texts.get("retry"));
    again.type = "button";
    again.addEventListener("click", () => this.on.retry(id));
    line.append(" · ", again);
  }

  // `text` is what a reader hears; null takes the sign away.
  setTyping(text) {
    if (text === null) {
      this.typing?.remove();
      this.typing = null;
      return;
    }
    const follow = this.isAtEnd();
    if (!this.typing) {
      this.typing = element("div", "typing");
      this.typing.append(element("span", "dots"), element("span", "words"));
      this.typing.firstChild.append(element("i"), element("i"), element("i"));
      this.log.append(this.typing);
    }
    this.typing.lastChild.textContent = text;
    if (follow) this.toEnd();
  }

  // Everything that carries a UI text, again in the current language.
  relabel() {
    this.log.querySelectorAll(".message").forEach((node) => {
      this.#writeLabel(node);
      this.#writeDelivery(node);
    });
    this.log.querySelectorAll(".day").forEach((node) => this.#writeDay(node));
    const replies = this.log.querySelector(".replies");
    replies?.setAttribute("aria-label", this.texts.get("replies"));
  }

  // The conversation as plain text, for saving.
  transcript() {
    const lines = [];
    for (const node of this.log.querySelectorAll(".message, .notice, .day")) {
      if (!node.classList.contains("message")) lines.push("", `— ${node.textContent} —`);
      else {
        const date = new Date(node.dataset.time * 1000);
        const when = this.#format(date, { dateStyle: "short", timeStyle: "short" });
        const name = node.querySelector(".name").textContent;
        lines.push("", `${name}, ${when}`, node.querySelector(".text").textContent);
      }
    }
    return `${lines.join("\n").trim()}\n`;
  }
}

// The conversation on the screen: order, days, scrolling, delivery.

import { Bubbles } from "./bubble.js";
import { $, element } from "./dom.js";

const NEAR_END_PX = 80;
const GROUP_S = 300;
// A message longer than the window is shown from its beginning, with this much before it.
const ABOVE_PX = 12;

export class View {
  // `on`: tap(quickReply), retry(id), open(file), picture(file).
  constructor(texts, on) {
    Object.assign(this, { texts, on });
    this.bubbles = new Bubbles(texts, on);
    this.log = $("log");
    this.shown = new Map();
    this.last = null;
    this.typing = null;
    this.log.addEventListener("scroll", () => {
      if (this.isAtEnd()) $("newer").hidden = true;
    });
    $("newer").addEventListener("click", () => this.toEnd());
    const keep = () => this.wasAtEnd && this.toEnd();
    new ResizeObserver(() => {
      this.height = this.log.clientHeight;
      keep();
    }).observe(this.log);
    this.log.addEventListener("grown", keep);
  }

  isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.log;
    // A window that has just shrunk says nothing about where the customer was.
    if (clientHeight === this.height) {
      this.wasAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    }
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
    if (!this.last && [...this.log.querySelectorAll(".day")].at(-1)?.dataset.day === day) return;
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
        : this.texts.format(date, { weekday: "long", day: "numeric", month: "long" });
  }

  #notice(message) {
    const node = element("p", "notice", message.text);
    node.dir = "auto";
    if (message.language) node.lang = message.language;
    return node;
  }

  #bubble(message) {
    const isSame = this.last?.author === message.author && this.last.agent === message.agent;
    return this.bubbles.make(message, isSame && message.sent_at - this.last.sent_at < GROUP_S);
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
    line.replaceChildren(reason || this.texts.get(delivery === "waiting" ? "sending" : delivery));
    if (delivery !== "failed") return;
    const again = element("button", "", this.texts.get("retry"));
    again.type = "button";
    again.addEventListener("click", () => this.on.retry(id));
    line.append(" · ", again);
  }

  // `text` is what a reader hears, for so long at most; null takes the sign away.
  setTyping(text, duration) {
    clearTimeout(this.typingTimer);
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
    this.typingTimer = setTimeout(() => this.setTyping(null), duration);
    if (follow) this.toEnd();
  }

  // Everything that carries a UI text, again in the current language.
  relabel() {
    this.log.querySelectorAll(".message").forEach((node) => {
      this.bubbles.relabel(node);
      this.#writeDelivery(node);
    });
    this.log.querySelectorAll(".day").forEach((node) => this.#writeDay(node));
    this.log.querySelector(".replies")?.setAttribute("aria-label", this.texts.get("replies"));
  }

  // The conversation as plain text, for saving.
  transcript() {
    const lines = [];
    for (const node of this.log.querySelectorAll(".message, .notice, .day")) {
      if (!node.classList.contains("message")) lines.push("", `— ${node.textContent} —`);
      else {
        const date = new Date(node.dataset.time * 1000);
        const when = this.texts.format(date, { dateStyle: "short", timeStyle: "short" });
        lines.push("", `${node.querySelector(".name").textContent}, ${when}`);
        for (const part of node.querySelectorAll(".text, .card-title, .card-text")) lines.push(part.textContent);
        for (const file of node.querySelectorAll(".file-name")) lines.push(`[${file.textContent}]`);
      }
    }
    return `${lines.join("\n").trim()}\n`;
  }
}

// The head of the chat: who is there, where one stands in the queue, whether there is a line.

import { face } from "./bubble.js";
import { $, write } from "./dom.js";

export const HUMAN = new Set(["assigned", "snoozed"]);
const QUEUE_MS = 30_000;

export class Header {
  // `ask` fetches the place in the queue: {state, place, minutes?, agents}.
  constructor(texts, ask) {
    Object.assign(this, { texts, ask });
    this.state = this.agent = this.photo = "";
    this.queue = null;
    this.connection = "";
    this.robot = $("avatar").firstElementChild;
  }

  get isHuman() {
    return HUMAN.has(this.state);
  }

  take(state, agent, photo) {
    this.state = state;
    if (agent) Object.assign(this, { agent, photo: photo ?? "" });
    if (!this.isHuman) this.agent = this.photo = "";
    if (state !== "waiting") this.queue = null;
    else if (!this.isWatching) this.#watchQueue();
    this.show();
  }

  show() {
    const { texts, agent, state } = this;
    const named = agent ? texts.get("status_agent", { name: agent }) : texts.get("status_agent_unnamed");
    const isGated = !$("gate").hidden;
    const waits = state === "waiting";
    const line = this.isHuman ? named : texts.get(waits ? "status_waiting" : "status_bot");
    write("status", isGated ? "" : line);
    $("chat").dataset.state = state || "bot";
    // Whoever waits for a person or talks with one needs no button for it.
    $("person").hidden = waits;
    write("queue", waits ? this.#place() : "");
    $("tools").hidden = isGated || this.isHuman || (waits && !$("queue").textContent);
    const shown = this.isHuman && agent ? `${agent}|${this.photo}` : "";
    if (shown === this.shown) return;
    this.shown = shown;
    $("avatar").replaceChildren(shown ? face("agent", agent, this.photo) : this.robot);
  }

  #place() {
    const { place, minutes, agents } = this.queue ?? {};
    if (!place) return "";
    const words = [this.texts.get("queue_place", { n: place })];
    if (minutes) words.push(this.texts.get("queue_minutes", { n: minutes }));
    else if (agents === 0) words.push(this.texts.get("queue_nobody"));
    return words.join(" · ");
  }

  async #watchQueue() {
    this.isWatching = true;
    const queue = document.hidden ? this.queue : await this.ask().catch(() => null);
    this.isWatching = this.state === "waiting";
    if (!this.isWatching) return;
    // Somebody came while the message that says so is on its way; that message will tell.
    if (queue?.state === "waiting") this.queue = queue;
    this.show();
    setTimeout(() => this.#watchQueue(), QUEUE_MS);
  }

  showConnection(next) {
    this.connection = next;
    clearTimeout(this.blink);
    // A blink of the line is not worth a banner.
    if (next === "connecting") this.blink = setTimeout(() => this.showBanner(), 1500);
    else this.showBanner();
  }

  showBanner() {
    const key = { offline: "offline", refused: "unavailable", connecting: "connecting" }[this.connection];
    const text = key ? this.texts.get(key) : "";
    $("banner").hidden = !text;
    $("banner").dataset.state = this.connection;
    write("banner", text);
  }
}

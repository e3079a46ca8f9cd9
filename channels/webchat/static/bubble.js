// One message on the screen: label, words, files and cards.

import { element, icon } from "./dom.js";
import { link, parts } from "./links.js";

const FILE = "M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5";
const BOT = "M12 4v3M7 7h10a3 3 0 0 1 3 3v6a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3v-6a3 3 0 0 1 3-3zM9 12v1M15 12v1";

export class Bubbles {
  // `on`: open(file) saves a file, picture(file) gives an address for it.
  constructor(texts, on) {
    Object.assign(this, { texts, on });
  }

  make(message, isGrouped) {
    const { author, text, language, sent_at } = message;
    const node = element("div", `message ${author}`);
    if (isGrouped) node.classList.add("grouped");
    node.append(this.#label(message));
    if (text) node.append(this.#words(text, author, language));
    for (const file of message.attachments ?? []) node.append(this.#file(file));
    for (const card of message.cards ?? []) node.append(this.#card(card, language));
    if (author === "customer") node.append(element("p", "delivery"));
    node.dataset.author = author;
    if (message.agent) node.dataset.agent = message.agent;
    node.dataset.time = sent_at;
    this.relabel(node);
    return node;
  }

  // What carries a UI text, in the current language.
  relabel(node) {
    const { author, agent, time } = node.dataset;
    const role = this.texts.get({ customer: "you", bot: "bot" }[author] ?? "agent");
    const date = new Date(time * 1000);
    node.querySelector(".name").textContent = agent ? `${agent} · ${role}` : role;
    const clock = node.querySelector("time");
    clock.dateTime = date.toISOString();
    clock.textContent = this.texts.format(date, { hour: "numeric", minute: "2-digit" });
    for (const part of node.querySelectorAll(".file")) this.#describe(part);
  }

  #label({ author, agent, photo }) {
    const label = element("p", "label");
    if (author !== "customer") label.append(face(author, agent, photo));
    label.append(element("bdi", "name"), element("time"));
    return label;
  }

  #words(text, author, language) {
    const body = element("p", "text");
    body.dir = "auto";
    if (language) body.lang = language;
    body.append(...parts(text, author));
    return body;
  }

  #file(file) {
    const isOpen = file.state === "stored";
    const part = element(isOpen ? "button" : "span", `file ${file.kind}`);
    Object.assign(part.dataset, { name: file.name, size: file.size, state: file.state, reason: file.reason ?? "" });
    if (isOpen) {
      part.type = "button";
      part.addEventListener("click", () => this.on.open(file));
    }
    if (isOpen && file.kind === "image") this.#picture(part, file);
    const words = element("span", "about");
    words.append(element("bdi", "file-name", file.name), element("span", "detail"));
    part.append(icon(FILE), words);
    return part;
  }

  // A thumbnail above the name; without it the name has to do.
  async #picture(part, file) {
    const address = await this.on.picture(file).catch(() => "");
    if (!address) return;
    const picture = element("img");
    picture.alt = "";
    picture.addEventListener("error", () => picture.remove());
    picture.src = address;
    part.prepend(picture);
    part.dispatchEvent(new Event("grown", { bubbles: true }));
  }

  #describe(part) {
    const { name, size, state, reason } = part.dataset;
    const why = { "too-large": "file_large", "type-not-allowed": "file_kind", "content-mismatch": "file_kind" };
    const said = { fetching: "file_coming", refused: why[reason] ?? "file_lost", failed: "file_lost" }[state];
    const detail = said ? this.texts.get(said, { name: "" }) : sizeOf(Number(size), this.texts);
    part.querySelector(".detail").textContent = detail;
    if (state === "stored") part.ariaLabel = this.texts.get("file_save", { name, size: detail });
  }

  #card(card, language) {
    const part = element("article", "card");
    part.dir = "auto";
    if (language) part.lang = language;
    if (card.image) {
      const picture = element("img");
      picture.alt = card.image_text ?? "";
      picture.loading = "lazy";
      picture.addEventListener("error", () => picture.remove());
      picture.src = card.image;
      part.append(picture);
    }
    part.append(element("p", "card-title", card.title));
    if (card.text) part.append(element("p", "card-text", card.text));
    for (const { title, url } of card.buttons ?? []) part.append(link(url, title) ?? "");
    return part;
  }
}

// A round picture: photo or first letter of an agent, the sign of the bot.
export function face(author, agent, photo) {
  const round = element("span", "face");
  round.ariaHidden = "true";
  if (photo) {
    const picture = element("img");
    picture.alt = "";
    picture.src = `photo/${photo}`;
    picture.addEventListener("error", () => picture.replaceWith(initial(agent)));
    round.append(picture);
  } else round.append(author === "agent" ? initial(agent) : icon(BOT));
  return round;
}

// The first letter of a name, whole also in scripts that write it with several signs.
function initial(name) {
  const segmenter = Intl.Segmenter && new Intl.Segmenter(undefined, { granularity: "grapheme" });
  const [first] = segmenter ? segmenter.segment(name || "?") : [...(name || "?")];
  return (first.segment ?? first).toLocaleUpperCase();
}

export function sizeOf(bytes, texts) {
  const units = bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
  const amount = Math.max(1, Math.round(bytes / units[1]));
  const locale = `${texts.language || "en"}-u-nu-latn`;
  return new Intl.NumberFormat(locale, { style: "unit", unit: units[0], unitDisplay: "short" }).format(amount);
}

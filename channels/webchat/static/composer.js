// Where the customer writes: the field grows with the words, files hang on it.

import { $ } from "./dom.js";
import { Files } from "./files.js";

const TALLEST_PX = 132;
const TYPING_TELL_MS = 3_000;

export class Composer {
  // `on`: send({text, attachments}), typing() at most every three seconds, token() of the session.
  constructor(texts, on) {
    Object.assign(this, { texts, on });
    this.limit = 4000;
    this.toldTyping = 0;
    this.files = new Files(texts, { token: on.token, change: () => this.resize() });
    const field = $("text");
    $("form").addEventListener("submit", (event) => this.#submit(event));
    field.addEventListener("input", () => {
      this.resize();
      this.#tellTyping();
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) this.#submit(event);
    });
  }

  // What the server takes.
  use(session) {
    this.limit = session.max_text_chars;
    this.files.use(session);
  }

  clear() {
    $("text").value = "";
    this.files.clear();
    this.resize();
  }

  #submit(event) {
    event.preventDefault();
    const field = $("text");
    const text = field.value.trim();
    const { ready, isBusy } = this.files;
    if (!(text || ready.length) || isBusy || this.#isOver()) return;
    field.value = "";
    this.files.clear();
    this.on.send({ text, attachments: ready.length ? ready : undefined });
    this.resize();
    field.focus();
  }

  #isOver() {
    // The server counts code points.
    const extra = [...$("text").value.trim()].length - this.limit;
    $("problem").textContent = extra > 0 ? this.texts.get("too_long", { n: extra }) : "";
    return extra > 0;
  }

  resize() {
    const field = $("text");
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, TALLEST_PX)}px`;
    $("send").disabled = this.files.isBusy || !(field.value.trim() || this.files.ready.length);
    this.#isOver();
  }

  #tellTyping() {
    if (Date.now() - this.toldTyping < TYPING_TELL_MS) return;
    this.toldTyping = Date.now();
    this.on.typing();
  }

  relabel() {
    const write = this.texts.get("write");
    $("form").setAttribute("aria-label", write);
    $("text").setAttribute("aria-label", write);
    $("text").placeholder = write;
    $("drop").textContent = this.texts.get("drop");
    for (const id of ["send", "attach"]) {
      $(id).setAttribute("aria-label", this.texts.get(id));
      $(id).title = this.texts.get(id);
    }
    this.files.relabel();
  }
}

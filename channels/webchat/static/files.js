// Files on their way into a message: picked, dropped or pasted, uploaded at once, sent with it.

import { sizeOf } from "./bubble.js";
import { $, element, icon } from "./dom.js";
import { upload } from "./upload.js";

const MOST = 10;
const CROSS = "M6 6l12 12M18 6L6 18";
const AGAIN = "M20 11a8 8 0 1 0-2.3 6.3M20 5v6h-6";
const KINDS = {
  "too-large": "file_large",
  "type-not-allowed": "file_kind",
  "content-mismatch": "file_kind",
  empty: "file_empty",
  "too-many": "file_wait",
};

export class Files {
  // `on`: token() gives the session's, change() is called when there is more or less to send.
  constructor(texts, on) {
    Object.assign(this, { texts, on });
    this.items = [];
    this.limit = Infinity;
    $("attach").addEventListener("click", () => $("file").click());
    $("file").addEventListener("change", ({ target }) => {
      this.add(target.files);
      target.value = "";
    });
    addEventListener("paste", ({ clipboardData }) => this.add(clipboardData?.files));
    this.#listenToDrops();
  }

  use({ max_file_bytes, file_types }) {
    this.limit = max_file_bytes ?? Infinity;
    $("file").accept = (file_types ?? []).join(",");
  }

  get isBusy() {
    return this.items.some((item) => item.isGoing);
  }

  // What is uploaded, as a message shows it.
  get ready() {
    return this.items.filter((item) => item.sent).map((item) => ({ ...item.sent, state: "stored" }));
  }

  add(list) {
    if ($("form").inert) return;
    for (const file of [...(list ?? [])].slice(0, MOST - this.items.length)) {
      const item = { file, node: element("li", "upload") };
      this.items.push(item);
      this.#draw(item);
      $("files").append(item.node);
      if (file.size > this.limit) this.#fail(item, "too-large");
      else this.#send(item);
    }
    this.#changed();
    if (list?.length) $("text").focus();
  }

  clear() {
    for (const item of [...this.items]) this.#remove(item);
  }

  relabel() {
    for (const item of this.items) {
      if (!item.sent && !item.isGoing) this.#fail(item, item.code);
      this.#name(item);
    }
  }

  #draw(item) {
    const { file, node } = item;
    if (file.type.startsWith("image/")) {
      item.preview = URL.createObjectURL(file);
      const picture = element("img");
      picture.alt = "";
      picture.src = item.preview;
      picture.addEventListener("error", () => picture.remove());
      node.append(picture);
    }
    const words = element("span", "about");
    words.append(element("bdi", "file-name", file.name), element("span", "detail"));
    item.bar = element("progress");
    item.bar.max = 1;
    item.again = this.#button("again", AGAIN, () => this.#send(item));
    item.away = this.#button("away", CROSS, () => {
      this.#remove(item);
      $("text").focus();
    });
    node.append(words, item.again, item.away, item.bar);
    this.#name(item);
  }

  #button(name, path, act) {
    const button = element("button", `icon ${name}`);
    button.type = "button";
    button.append(icon(path));
    button.addEventListener("click", act);
    return button;
  }

  #name({ file, bar, again, away, node, isGoing, sent }) {
    const { name } = file;
    bar.ariaLabel = this.texts.get("file_uploading", { name });
    again.ariaLabel = this.texts.get("retry");
    away.ariaLabel = away.title = this.texts.get("file_remove", { name });
    if (isGoing || sent) node.querySelector(".detail").textContent = sizeOf(file.size, this.texts);
  }

  async #send(item) {
    item.isGoing = true;
    item.node.dataset.state = "going";
    item.bar.value = 0;
    this.#name(item);
    this.#changed();
    const { done, abort } = upload(item.file, this.on.token(), (share) => (item.bar.value = share));
    item.abort = abort;
    try {
      item.sent = await done;
      item.node.dataset.state = "sent";
    } catch ({ code }) {
      if (code !== "aborted") this.#fail(item, code);
    }
    item.isGoing = false;
    this.#changed();
  }

  #fail(item, code) {
    item.code = code;
    item.node.dataset.state = "failed";
    item.again.hidden = Boolean(KINDS[code]) && code !== "too-many";
    const size = sizeOf(this.limit, this.texts);
    const words = this.texts.get(KINDS[code] ?? "file_failed", { size });
    const detail = item.node.querySelector(".detail");
    detail.setAttribute("role", "alert");
    detail.textContent = words;
  }

  #remove(item) {
    this.items = this.items.filter((other) => other !== item);
    item.abort?.();
    if (item.preview) URL.revokeObjectURL(item.preview);
    item.node.remove();
    this.#changed();
  }

  #changed() {
    $("files").hidden = !this.items.length;
    this.on.change();
  }

  #listenToDrops() {
    let depth = 0;
    const over = (change) => (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      depth = change ? depth + change : 0;
      $("drop").hidden = depth <= 0 || $("form").inert;
    };
    addEventListener("dragenter", over(1));
    addEventListener("dragleave", over(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      over(0)(event);
      this.add(event.dataTransfer?.files);
    });
  }
}

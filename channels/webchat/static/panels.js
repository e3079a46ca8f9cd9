// What stands beside the conversation: the menu, the gate before it, the question whether to delete,
// the question how it went.

import { $, element } from "./dom.js";

// A list that opens below its button, closes by Escape, by a choice and by a click elsewhere.
export function menu() {
  const isOpen = () => !$("menu").hidden;
  const show = (open) => {
    $("menu").hidden = !open;
    $("more").ariaExpanded = open;
  };
  $("more").addEventListener("click", () => {
    show(!isOpen());
    if (isOpen()) $("menu").querySelector("li:not([hidden]) > *").focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (!$("more").contains(target)) show(false);
  });
  $("menu").addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !$("menu").contains(relatedTarget) && relatedTarget !== $("more")) show(false);
  });
  const close = () => show(false);
  // Returns whether Escape was for the menu.
  const escape = () => {
    if (!isOpen()) return false;
    close();
    $("more").focus();
    return true;
  };
  return { close, escape };
}

// A page in place of the conversation: before it (consent) or after it (deleted).
export class Gate {
  constructor(texts) {
    this.texts = texts;
    this.kind = "";
    $("gate-yes").addEventListener("click", () => this.yes?.());
    $("gate-no").addEventListener("click", () => this.no?.());
  }

  // `kind`: "consent" or "erased", whose texts begin with it; `no` is left out where there is none.
  show(kind, yes, no) {
    Object.assign(this, { kind, yes, no });
    this.relabel();
    $("gate").hidden = false;
    $("log").hidden = $("form").inert = $("form").hidden = true;
    $("tools").hidden = $("more").hidden = true;
    $("rating").hidden = true;
  }

  hide() {
    this.kind = "";
    $("gate").hidden = true;
    $("log").hidden = $("form").inert = $("form").hidden = false;
    $("more").hidden = false;
  }

  focus() {
    $("gate-title").focus();
  }

  relabel() {
    if (!this.kind) return;
    for (const part of ["title", "text", "yes"]) {
      $(`gate-${part}`).textContent = this.texts.get(`${this.kind}_${part}`);
    }
    $("gate-no").textContent = this.texts.get("consent_no");
    $("gate-no").hidden = !this.no;
    $("gate-policy").hidden = this.kind !== "consent" || !$("policy").href;
  }
}

// Asks before the one thing that cannot be undone, and stays until it is done.
export function askToForget(texts, forget, isDone) {
  const dialog = $("dialog");
  const label = () => {
    for (const part of ["title", "text", "no", "yes"]) {
      $(`dialog-${part}`).textContent = texts.get(`forget_${part}`);
    }
    $("dialog-problem").textContent = "";
  };
  $("forget").addEventListener("click", () => {
    label();
    dialog.showModal();
    $("dialog-no").focus();
  });
  dialog.addEventListener("cancel", (event) => dialog.ariaBusy === "true" && event.preventDefault());
  dialog.addEventListener("close", () => !isDone() && $("more").focus());
  $("dialog-no").addEventListener("click", () => dialog.close());
  $("dialog-yes").addEventListener("click", async () => {
    if (dialog.ariaBusy === "true") return;
    dialog.ariaBusy = "true";
    $("dialog-no").disabled = true;
    $("dialog-yes").textContent = texts.get("forget_going");
    $("dialog-problem").textContent = "";
    try {
      await forget();
      dialog.close();
    } catch (error) {
      const words = error.code === "too-many" ? "forget_wait" : "forget_failed";
      $("dialog-problem").textContent = texts.get(words);
    }
    $("dialog-yes").textContent = texts.get("forget_yes");
    $("dialog-no").disabled = false;
    dialog.ariaBusy = "false";
  });
}

// One to five stars and a few words.
export class Rating {
  // `on`: rate({score, comment}) stores it, done() and dismissed() are told.
  constructor(texts, on) {
    Object.assign(this, { texts, on });
    for (let score = 1; score <= 5; score += 1) {
      const choice = element("label", "star");
      const input = element("input");
      Object.assign(input, { type: "radio", name: "score", value: score, required: true });
      input.addEventListener("change", () => this.#choose(score));
      choice.append(input, element("span", "", "★"));
      $("stars").append(choice);
    }
    $("rating").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    $("rating-close").addEventListener("click", () => {
      this.hide();
      on.dismissed();
    });
  }

  show() {
    if (!$("rating").hidden) return;
    $("rating").reset();
    $("comment-row").hidden = true;
    delete $("stars").dataset.score;
    this.relabel();
    $("rating").hidden = false;
  }

  hide() {
    $("rating").hidden = true;
  }

  relabel() {
    $("rating").ariaLabel = $("rating").querySelector("legend").textContent = this.texts.get("rate");
    [...$("stars").querySelectorAll("input")].forEach((input, at) => {
      input.ariaLabel = this.texts.get(`rate_${at + 1}`);
    });
    const { score } = $("stars").dataset;
    $("chosen").textContent = score ? this.texts.get(`rate_${score}`) : "";
    $("comment").placeholder = $("comment").ariaLabel = this.texts.get("rate_comment");
    $("rate").textContent = this.texts.get("send");
    $("rating-close").ariaLabel = this.texts.get("rate_close");
    $("rating-problem").textContent = "";
  }

  #choose(score) {
    $("stars").dataset.score = score;
    $("comment-row").hidden = false;
    this.relabel();
  }

  async #send() {
    const score = Number($("stars").dataset.score);
    try {
      await this.on.rate({ score, comment: $("comment").value });
    } catch (error) {
      // It was resolved no longer, or rated in another window: there is nothing left to ask.
      if (error.status !== 409) {
        $("rating-problem").textContent = this.texts.get("rate_failed");
        return;
      }
    }
    this.hide();
    this.on.done();
  }
}

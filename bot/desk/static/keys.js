// Everything by keyboard, outside text fields.
import { byId } from "./page.js";
import * as actions from "./actions.js";
import * as composer from "./composer.js";
import * as list from "./list.js";
import * as translate from "./translate.js";

const VIEWS = { m: "mine", w: "waiting", o: "open", n: "mentions", s: "snoozed", d: "done" };
const LEADER_MS = 3000;
let leader = -LEADER_MS;

// Letters of the shortcuts are those of the keycap, also where the layout is not Latin.
function letter(event) {
  if (event.key.length > 1 || event.key.charCodeAt(0) < 128) return event.key;
  if (event.code === "Slash" && event.shiftKey) return "?";
  return event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key;
}

export function start(navigate) {
  const press = (selector) => document.querySelector(selector)?.click();
  const keys = {
    j: () => step(navigate, 1),
    k: () => step(navigate, -1),
    c: () => press('#head [data-action="claim"], #head [data-action="wake"], #head [data-action="reopen"]'),
    a: () => press('#head [data-dialog="assign"]'),
    p: () => press('#head [data-dialog="priority"]'),
    m: () => press('#head [data-dialog="macros"]'),
    y: () => press('#head [data-dialog="merge"]'),
    x: () => press('#head [data-dialog="block"], #head [data-action="unblock"]'),
    u: () => [...document.querySelectorAll("[data-undo]")].pop()?.click(),
    o: () => [...document.querySelectorAll(".reading summary")].pop()?.click(),
    h: () => translate.toggleReading(),
    f: () => press(".filters summary"),
    v: () => press('.filters [data-dialog="filter"]'),
    b: () => press('#head [data-action="return"]'),
    e: () => press('#head [data-dialog="resolve"]'),
    t: () => press('#head [data-dialog="transfer"]'),
    z: () => press('#head [data-dialog="snooze"]'),
    i: () => byId("side")?.classList.toggle("open"),
    r: () => composer.write("reply"),
    n: () => composer.write("note"),
    l: () => {
      byId("side")?.classList.add("open");
      document.querySelector(".label-form input")?.focus();
    },
    s: () => document.querySelector(".search input").focus(),
    "?": () => actions.open("keys"),
  };
  byId("keys-help").addEventListener("click", () => actions.open("keys"));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-insert]");
    if (button) composer.suggest(button.dataset.insert);
  });
  document.addEventListener("keydown", (event) => {
    const writing = event.target.id === "text";
    if (/^Digit[1-3]$/.test(event.code) && event.altKey === writing && !event.ctrlKey && !event.metaKey
      && (writing || !event.target.closest("input, textarea, select, dialog"))) {
      const chosen = document.querySelectorAll("[data-insert]")[event.code.slice(-1) - 1];
      if (chosen) event.preventDefault();
      return chosen?.click();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    // A dialog that has just closed keeps the focus for a moment, and must not swallow a key.
    const closed = event.target.closest("dialog:not([open])");
    const field = !closed && event.target.closest("input, textarea, select, dialog");
    if (event.key === "Escape") {
      byId("side")?.classList.remove("open");
      for (const menu of document.querySelectorAll(".more-actions[open], .filters[open]")) menu.open = false;
      if (field && !field.matches("dialog")) event.target.blur();
      return;
    }
    if (field) return;
    const key = letter(event);
    if (event.timeStamp - leader < LEADER_MS && VIEWS[key]) {
      leader = -LEADER_MS;
      event.preventDefault();
      navigate(`/inbox/${VIEWS[key]}`);
    } else if (key === "g") leader = event.timeStamp;
    else if (keys[key]) {
      event.preventDefault();
      keys[key]();
    }
  });
}

function step(navigate, by) {
  const id = list.neighbour(by);
  if (id) navigate(list.address(id));
}

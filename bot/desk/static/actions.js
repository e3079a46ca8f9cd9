// Claim, return, resolve, transfer, snooze, labels and the rest: buttons, dialogs and their keys.
import { byId, newKey, post, toast } from "./page.js";
import { t } from "./texts.js";
import * as composer from "./composer.js";
import * as moves from "./moves.js";
import * as thread from "./thread.js";

const DONE = {
  claim: "claimed", return: "returned", resolve: "resolved", transfer: "transferred", snooze: "snoozed", wake: "woken",
  assign: "assigned", priority: "prioritised", block: "blocked", unblock: "unblocked", merge: "merged", part: "parted",
  reopen: "reopened", labels: "labelled",
};
// After these the conversation stays on show; claim and the like lead to one's own list.
const STAYS = new Set(["priority", "unblock", "merge", "part", "labels"]);
const MINE = new Set(["claim", "wake", "reopen"]);
const FREE = new Set(["keys", "filter"]);
const busy = new Set();
let go = () => {};

export function start(navigate) {
  go = navigate;
  moves.start(navigate);
  document.addEventListener("click", (event) => {
    const menu = document.querySelector(".more-actions[open]");
    if (menu && !event.target.closest(".more-actions summary")) menu.open = false;
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.action === "return") open("return");
    else if (button.dataset.action) act(button.dataset.action, { ...button.dataset.merge && { merge: button.dataset.merge } });
    else if (button.dataset.dialog) open(button.dataset.dialog, button);
    else if (button.dataset.close !== undefined) button.closest("dialog").close();
    else if (button.dataset.toggle) byId("side").classList.toggle("open");
    else if (button.dataset.unlabel) label(button.dataset.unlabel, true);
    else if (button.dataset.snooze) snooze(button.dataset.snooze);
  });
  document.addEventListener("submit", onSubmit);
}

function onSubmit(event) {
  const form = event.target;
  const name = form.dataset.form;
  if (!name) return;
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(form));
  if (name === "labels") {
    form.reset();
    return label(fields.label, false);
  }
  form.closest("dialog")?.close();
  if (name === "filter") return moves.keepList(fields.name);
  if (name === "snooze") return act("snooze", { until: new Date(fields.at).getTime() / 1000 || 0 });
  return act(name, fields);
}

export function open(name, opener) {
  const dialog = byId(`dialog-${name}`);
  if (!thread.id() && !FREE.has(name)) return;
  const moment = dialog.querySelector('[name="at"]');
  if (moment) moment.value = "";
  moves.fill(dialog, name, opener?.dataset.value);
  dialog.showModal();
}

// A second click while the first is under way is the first.
export async function act(name, fields = {}, id = thread.id()) {
  if (!id || busy.has(id + name)) return;
  busy.add(id + name);
  if (MINE.has(name)) composer.expect(true);
  try {
    const { target, undo } = await post(`/conversations/${id}/${name}`, { ...fields, key: newKey() });
    toast(t(name === "labels" && fields.remove ? "unlabelled" : DONE[name]), false, undo && (() => takeBack(id, undo)));
    if (!STAYS.has(name) && id === thread.id()) await go(MINE.has(name) ? target : "");
  } catch (error) {
    if (MINE.has(name)) composer.expect(false);
    toast(error.message, true);
  } finally {
    busy.delete(id + name);
  }
}

async function takeBack(id, { action, fields }) {
  try {
    await post(`/conversations/${id}/${action}`, { ...fields, key: newKey() });
    toast(t("undone"));
  } catch (error) {
    toast(error.message, true);
  }
}

function label(word, remove) {
  if (word?.trim()) act("labels", { label: word, ...(remove && { remove: "1" }) });
}

function snooze(choice) {
  byId("dialog-snooze").close();
  if (choice === "reply") return act("snooze", { until: choice });
  const now = new Date();
  let until = new Date(now.getTime() + Number(choice) * 1000);
  if (choice === "tomorrow" || choice === "monday") {
    const days = choice === "tomorrow" ? 1 : ((8 - now.getDay()) % 7) || 7;
    until = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 9);
  }
  return act("snooze", { until: until.getTime() / 1000 });
}

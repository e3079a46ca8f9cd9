// Claim, return, resolve, transfer, snooze, labels: buttons, dialogs and their keys.
import { byId, newKey, post, toast } from "./page.js";
import { t } from "./texts.js";
import * as thread from "./thread.js";

const DONE = {
  claim: "claimed", return: "returned", resolve: "resolved", transfer: "transferred", snooze: "snoozed", wake: "woken",
};
const busy = new Set();
let go = () => {};

export function start(navigate) {
  go = navigate;
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.action === "return") open("return");
    else if (button.dataset.action) act(button.dataset.action);
    else if (button.dataset.dialog) open(button.dataset.dialog);
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
  if (name === "snooze") return act("snooze", { until: new Date(fields.at).getTime() / 1000 || 0 });
  return act(name, fields);
}

export function open(name) {
  const dialog = byId(`dialog-${name}`);
  if (!thread.id() && name !== "keys") return;
  const moment = dialog.querySelector('[name="at"]');
  if (moment) moment.value = "";
  dialog.showModal();
}

// A second click while the first is under way is the first.
export async function act(name, fields = {}) {
  const id = thread.id();
  if (!id || busy.has(id + name)) return;
  busy.add(id + name);
  try {
    const { target } = await post(`/conversations/${id}/${name}`, { ...fields, key: newKey() });
    toast(t(DONE[name]));
    await go(name === "claim" || name === "wake" ? target : "");
  } catch (error) {
    toast(error.message, true);
  } finally {
    busy.delete(id + name);
  }
}

async function label(word, remove) {
  if (!word?.trim()) return;
  try {
    await post(`/conversations/${thread.id()}/labels`, { label: word, ...(remove && { remove: "1" }) });
  } catch (error) {
    toast(error.message, true);
  }
}

function snooze(choice) {
  byId("dialog-snooze").close();
  const now = new Date();
  let until = new Date(now.getTime() + Number(choice) * 1000);
  if (choice === "tomorrow" || choice === "monday") {
    const days = choice === "tomorrow" ? 1 : ((8 - now.getDay()) % 7) || 7;
    until = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 9);
  }
  act("snooze", { until: until.getTime() / 1000 });
}

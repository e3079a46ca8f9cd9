// What the dialogs offer: agents and teams, priorities, customers to merge with; lists to keep.
import { byId, get, newKey, post, toast } from "./page.js";
import * as list from "./list.js";
import { t } from "./texts.js";
import * as thread from "./thread.js";

const SEARCH_AFTER_MS = 250;
let timer;
let asked = 0;
let go = () => {};

export function start(navigate) {
  go = navigate;
  byId("merge-search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(findCustomers, SEARCH_AFTER_MS);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-forget]");
    if (button) forget(button.dataset.forget);
    const episode = event.target.closest("[data-episode]");
    if (episode) {
      byId("side").classList.remove("open");
      thread.goTo(Number(episode.dataset.episode)).catch((error) => toast(error.message, true));
    }
  });
}

export function fill(dialog, name, value) {
  const places = [...dialog.querySelectorAll("[data-targets]")];
  if (places.length) fillTargets(places);
  if (name === "priority") {
    const chosen = dialog.querySelector(`[value="${CSS.escape(value ?? "0")}"]`);
    chosen.checked = true;
    chosen.autofocus = true;
  }
  if (name === "merge") {
    byId("merge-search").value = "";
    byId("merge-found").replaceChildren();
    findCustomers();
  }
  if (name === "macros") fillMacros(dialog);
  if (name === "block") offerAddress(dialog);
  if (name === "filter") dialog.querySelector("[name=name]").value = "";
}

async function fillTargets(places) {
  for (const place of places) place.replaceChildren();
  let targets;
  try {
    targets = await get("/targets.json");
  } catch (error) {
    return toast(error.message, true);
  }
  for (const place of places) {
    const prefix = place.dataset.prefix ?? "";
    place.replaceChildren(...targets[place.dataset.targets].map(({ id, name, online }) =>
      new Option(online ? t("online", { name }) : name, prefix + id)));
  }
}

// Only some channels tell an address, and it is forgotten after a day.
async function offerAddress(dialog) {
  const line = byId("block-address");
  line.hidden = true;
  dialog.querySelector("form").reset();
  const id = thread.id();
  try {
    const { kept } = await get(`/conversations/${id}/address.json`);
    if (id === thread.id()) line.hidden = !kept;
  } catch (error) {
    toast(error.message, true);
  }
}

async function fillMacros(dialog) {
  const place = byId("macro-list");
  place.replaceChildren();
  let macros;
  try {
    macros = await get("/macros.json");
  } catch (error) {
    return toast(error.message, true);
  }
  place.replaceChildren(...macros.map(({ id, name, does }) => {
    const button = document.createElement("button");
    button.type = "button";
    const title = document.createElement("bdi");
    title.textContent = name;
    const line = document.createElement("span");
    line.textContent = does;
    line.dir = "auto";
    button.append(title, line);
    button.addEventListener("click", () => {
      dialog.close();
      runMacro(id, name);
    });
    return button;
  }));
  if (!macros.length) place.textContent = t("no_macros");
  place.querySelector("button")?.focus();
}

async function runMacro(id, name) {
  try {
    const { stays } = await post(`/conversations/${thread.id()}/macros/${id}`, { key: newKey(), last: thread.last() });
    toast(t("ran", { name }));
    if (!stays) await go("");
  } catch (error) {
    toast(error.message, true);
  }
}

async function findCustomers() {
  const mine = ++asked;
  const query = byId("merge-search").value;
  let found;
  try {
    found = await get(`/conversations/${thread.id()}/customers.json?q=${encodeURIComponent(query)}`);
  } catch (error) {
    return toast(error.message, true);
  }
  if (mine !== asked) return;
  byId("merge-found").replaceChildren(...found.map(choice));
  if (!found.length) byId("merge-found").textContent = t("nobody");
}

function choice({ conversation, name, channel }) {
  const line = document.createElement("label");
  const radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "other", value: conversation, required: true });
  const who = document.createElement("bdi");
  who.textContent = name;
  const where = document.createElement("span");
  where.className = "tag";
  where.textContent = channel;
  line.append(radio, who, where);
  return line;
}

export async function keepList(name) {
  const { view, language, channel, label, topic, priority, sort } = list.shown();
  try {
    const { target, query } = await post("/filters", { name, view, language, channel, label, topic, priority, sort });
    toast(t("saved"));
    await go(`${target}?${new URLSearchParams(query)}`);
  } catch (error) {
    toast(error.message, true);
  }
}

async function forget(id) {
  try {
    await post(`/filters/${id}/remove`);
    toast(t("removed"));
    await go(`/inbox/${list.view()}`);
  } catch (error) {
    toast(error.message, true);
  }
}

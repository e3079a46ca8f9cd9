// What every module of the inbox shares: who we are, requests, toasts.
import { t } from "./texts.js";

const UNDO_MS = 10000;
const body = document.body.dataset;
export const me = { id: body.user, name: body.name, csrf: body.csrf, assets: body.assets, business: body.business };
export const byId = (id) => document.getElementById(id);

// Server-rendered, escaped by the templates; the policy forbids scripts in it besides.
export function elements(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return [...holder.content.children];
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}

export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

// Same key, same act: a call that got no answer may be repeated.
export async function post(path, fields = {}) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRF-Token": me.csrf },
      body: new URLSearchParams(fields),
    });
  } catch {
    throw new Refused("offline", t("offline"));
  }
  if (response.status === 204) return {};
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) location.assign("/login");
  if (!response.ok) throw new Refused(answer.code ?? "error", answer.message ?? t("failed"));
  return answer;
}

export async function get(path) {
  let response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" } });
  } catch {
    throw new Refused("offline", t("no_answer"));
  }
  if (response.status === 401) location.assign("/login");
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer.code ?? "error", answer.message ?? t("failed"));
  return answer;
}

export async function fragment(path, name) {
  const response = await fetch(path, { headers: { "X-Fragment": name } });
  if (response.redirected || response.status === 401) location.assign("/login");
  if (!response.ok) throw new Refused("fetch", t("no_answer"));
  return response.text();
}

// With `undo` the toast stays longer and can be taken back by a click or by `u`.
export function toast(text, bad = false, undo, address) {
  const line = document.createElement("p");
  line.className = bad ? "toast bad" : "toast";
  if (address) {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = text;
    line.append(link);
  } else line.textContent = text;
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.undo = "";
    button.textContent = t("undo");
    button.addEventListener("click", () => {
      line.remove();
      undo();
    });
    line.append(button);
  }
  byId("toasts").append(line);
  setTimeout(() => line.remove(), undo ? UNDO_MS : bad ? 8000 : 4000);
}

// Files that go with a reply: chosen, dropped or pasted, uploaded at once, sent with the text.
import { byId, me, newKey, toast } from "./page.js";
import { t } from "./texts.js";
import * as thread from "./thread.js";

const draftName = (id) => `desk:draft:${me.id}:${id}:files`;
let replying = () => true;
let under = 0;

export const busy = () => under > 0;

function read(id) {
  try {
    return JSON.parse(localStorage.getItem(draftName(id))) ?? { files: [] };
  } catch {
    return { files: [] };
  }
}

export const list = (id) => read(id).files;

// One key for one set of files and words: sending them twice acts once.
export function key(id, text) {
  const draft = read(id);
  if (draft.key && draft.text === text) return draft.key;
  const made = newKey();
  localStorage.setItem(draftName(id), JSON.stringify({ files: draft.files, key: made, text }));
  return made;
}

function keep(id, files) {
  if (files.length) localStorage.setItem(draftName(id), JSON.stringify({ files }));
  else localStorage.removeItem(draftName(id));
  if (thread.id() === id) draw();
}

export const clear = (id) => keep(id, []);

export function start(mayReply) {
  replying = mayReply;
  byId("attach").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => {
    take([...event.target.files]);
    event.target.value = "";
  });
  byId("text").addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    if (!files.length || !replying()) return;
    event.preventDefault();
    take(files);
  });
  const composer = byId("composer");
  composer.addEventListener("dragover", (event) => {
    if (!replying() || !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    composer.classList.add("dropping");
  });
  composer.addEventListener("dragleave", () => composer.classList.remove("dropping"));
  composer.addEventListener("drop", (event) => {
    composer.classList.remove("dropping");
    if (!replying() || !event.dataTransfer.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  draw();
}

export function show(reply) {
  byId("attach").disabled = !reply;
  draw();
}

// One after the other, so that they stand in the order they were given in.
let queue = Promise.resolve();

function take(files) {
  const id = thread.id();
  under += files.length;
  queue = queue.then(() => send(id, files));
}

async function send(id, files) {
  for (const file of files) {
    const waiting = line(t("uploading", { name: file.name }));
    try {
      // Another conversation may be on show by now.
      if (thread.id() === id) {
        byId("attached").append(waiting);
        byId("attached").hidden = false;
      }
      const stored = await upload(id, file);
      keep(id, [...list(id), { id: stored.id, name: stored.name }]);
    } catch (error) {
      toast(error.message, true);
    } finally {
      under -= 1;
      waiting.remove();
      draw();
    }
  }
  if (thread.id() === id) byId("text").focus();
}

async function upload(id, file) {
  let response;
  try {
    response = await fetch(`/conversations/${id}/files`, {
      method: "POST",
      headers: {
        Accept: "application/json",
        "Content-Type": file.type || "application/octet-stream",
        "X-CSRF-Token": me.csrf,
        "X-File-Name": encodeURIComponent(file.name),
      },
      body: file,
    });
  } catch {
    throw new Error(t("offline"));
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? t("failed"));
  return answer;
}

function line(text) {
  const item = document.createElement("li");
  item.className = "file";
  const words = document.createElement("bdi");
  words.textContent = text;
  item.append(words);
  return item;
}

function draw() {
  const box = byId("attached");
  const id = thread.id();
  if (!box || !id) return;
  if (under) {
    box.querySelectorAll("[data-file]").forEach((item) => item.remove());
    box.prepend(...list(id).map((file) => removable(id, file)));
  } else box.replaceChildren(...list(id).map((file) => removable(id, file)));
  box.hidden = !replying() || !box.children.length;
}

function removable(id, file) {
  const item = line(file.name);
  item.dataset.file = file.id;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet remove";
  button.textContent = "×";
  button.setAttribute("aria-label", t("remove_file", { name: file.name }));
  button.addEventListener("click", () => {
    keep(id, list(id).filter((one) => one.id !== file.id));
    byId("text").focus();
  });
  item.append(button);
  return item;
}

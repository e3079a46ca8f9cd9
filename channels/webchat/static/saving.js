// What the customer takes along: files, and the conversation as text.

import { API } from "./transport.js";

// An address for a file, good for a few minutes: pictures cannot show our token.
export async function addressOf({ id }, transport) {
  const { url } = await transport.request(`files/${id}/link`, { body: {} });
  return new URL(url, API).href;
}

export function save(href, name) {
  const link = document.createElement("a");
  Object.assign(link, { href, download: name });
  link.click();
}

export function saveText(text, title) {
  const href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  save(href, `${title.replace(/[^\p{L}\p{M}\p{N}]+/gu, "-")}.txt`);
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

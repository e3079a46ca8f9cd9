// Addresses in a text become links; nothing else in a text means anything.

import { element } from "./dom.js";

// What ends a sentence or a quotation, in whatever script, is no part of an address: । ؟ ۔ … ” 。
// Only the marks of ASCII may stand within one, and so may ’ (a French title has it).
const NEVER = "\\s<>\"'…“”„«»\\p{Term}";
const WEB = `https?:\\/\\/(?:[.,;:!?]|[^${NEVER}])+[^${NEVER}\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}\\p{Cf}]`;
const MAIL = "(?:mailto:)?[\\w.+-]{1,64}@[\\w-]{1,63}(?:\\.[\\w-]+)+";
const PHONE = "tel:\\+?[\\d-]{3,20}|\\+\\d(?:[ -]?\\d){6,14}";
// What reads left to right in every script: order numbers, dates, telephones.
const CODE = "[A-Za-z0-9]+(?:[-_/.#:][A-Za-z0-9]+)+|\\+?\\d+(?:[ -]\\d+)+";
const SPECIAL = new RegExp(`(${WEB})|(${MAIL})|(${PHONE})|${CODE}`, "gu");
const ALLOWED = new Set(["http:", "https:", "mailto:", "tel:"]);

// An <a> for an address, or null for one that no browser should be led to.
export function link(address, text) {
  let url;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  if (!ALLOWED.has(url.protocol)) return null;
  const made = element("a", "", text);
  made.href = url.href;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}

// A customer's own addresses stay plain: whoever else reads here must not be led on by them.
export function parts(text, author) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(SPECIAL)) {
    const [words, web, mail, phone] = match;
    const address =
      web ??
      (mail && (mail.startsWith("mailto:") ? mail : `mailto:${mail}`)) ??
      (phone && (phone.startsWith("tel:") ? phone : `tel:${phone.replace(/[ -]/g, "")}`));
    const part = (author !== "customer" && address && link(address, words)) || element("bdi", "", words);
    part.dir = "ltr";
    found.push(text.slice(at, match.index), part);
    at = match.index + words.length;
  }
  return [...found, text.slice(at)];
}

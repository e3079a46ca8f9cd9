// The texts of the page's scripts, in the reader's language; bot/desk/locales, section `script`.

const texts = JSON.parse(document.getElementById("texts")?.textContent || "{}");
// With the digits the texts are written in: browsers disagree on what is usual.
const { lang, dataset } = document.documentElement;
export const locale = `${lang || "en"}-u-nu-${dataset.numbers || "latn"}`;
const rightToLeft = document.documentElement.dir === "rtl";
const plural = new Intl.PluralRules(locale);
const plain = new Intl.NumberFormat(locale, { useGrouping: false });
const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;

export const number = (value) => plain.format(value);

// Words that run against the page are isolated, or they would pull its punctuation along.
function isolated(value) {
  if (typeof value === "number") return number(value);
  const against = RTL.test(value) !== rightToLeft && /\p{L}/u.test(value);
  return against ? `\u2068${value}\u2069` : value;
}

// A text with its `{placeholders}` filled in; the number `n` chooses among plural forms.
export function t(key, values = {}) {
  let text = texts[key];
  if (text === undefined) return key;
  if (typeof text !== "string") text = text[plural.select(values.n ?? 0)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? isolated(values[name]) : whole));
}

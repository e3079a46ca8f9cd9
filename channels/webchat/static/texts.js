// UI texts and the direction of the page; both follow the language of the conversation.
// One file per language, with its direction; only those that are used are loaded.

export class Texts {
  constructor(languages) {
    this.languages = languages;
    this.all = {};
    this.language = "";
  }

  // "hi-IN" and "hi-Latn" are "hi"; null for a language without texts.
  known(tag) {
    const code = String(tag ?? "").slice(0, 3).split(/[-_]/)[0].toLowerCase();
    return this.languages.includes(code) ? code : null;
  }

  // Returns whether anything changed. Of two calls at once the later one counts.
  async use(tag) {
    const code = this.known(tag);
    this.wanted = code ?? this.wanted;
    if (!code || code === this.language) return false;
    try {
      this.all[code] ??= await (await fetch(new URL(`${code}.json`, import.meta.url))).json();
    } catch {
      // Without a connection the words stay as they are; the next message asks again.
      return false;
    }
    if (this.wanted !== code || this.language === code) return false;
    this.language = code;
    document.documentElement.lang = code;
    document.documentElement.dir = this.all[code].direction;
    return true;
  }

  get(key, values = {}) {
    const text = this.all[this.language]?.[key] ?? "";
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  // Latin digits in every language: order numbers and times are read side by side.
  format(date, options) {
    const locale = `${this.language || "en"}-u-nu-latn-ca-gregory`;
    return new Intl.DateTimeFormat(locale, options).format(date);
  }

  nameOf(code) {
    try {
      const name = new Intl.DisplayNames([code], { type: "language" }).of(code);
      return name.charAt(0).toLocaleUpperCase(code) + name.slice(1);
    } catch {
      return code;
    }
  }
}

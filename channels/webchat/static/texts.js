// UI texts and the direction of the page; both follow the language of the conversation.

const RIGHT_TO_LEFT = new Set(["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

export class Texts {
  static async load() {
    const answer = await fetch(new URL("texts.json", import.meta.url));
    return new Texts(await answer.json());
  }

  constructor(all) {
    this.all = all;
    this.language = "en";
  }

  // "hi-IN" and "hi-Latn" are "hi"; null for a language without texts.
  known(tag) {
    const code = String(tag ?? "").slice(0, 3).split(/[-_]/)[0].toLowerCase();
    return code in this.all ? code : null;
  }

  // Returns whether anything changed.
  use(tag) {
    const code = this.known(tag);
    if (!code || (code === this.language && document.documentElement.lang === code)) return false;
    this.language = code;
    document.documentElement.lang = code;
    document.documentElement.dir = RIGHT_TO_LEFT.has(code) ? "rtl" : "ltr";
    return true;
  }

  get(key, values = {}, language = this.language) {
    const text = this.all[language]?.[key] ?? this.all.en[key] ?? "";
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
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

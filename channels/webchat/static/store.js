// What survives a reload: the session token, unsent messages, how far was read, the language.
// Without storage (private windows, strict browsers) everything lasts as long as the page, and so
// it does while `hold` is set: before the customer has agreed, nothing is written.

export class Store {
  constructor(site) {
    this.key = `samvad:chat:${site}`;
    this.memory = {};
    this.hold = false;
  }

  read() {
    if (this.hold) return this.memory;
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? this.memory;
    } catch {
      return this.memory;
    }
  }

  // Other windows of this browser write too, so every change starts from what is there now.
  change(values) {
    this.memory = { ...this.read(), ...values };
    if (this.hold) return;
    try {
      localStorage.setItem(this.key, JSON.stringify(this.memory));
    } catch {
      // Full or forbidden: memory has to do.
    }
  }

  // From here on it may be written; what gathered so far goes along.
  release() {
    const gathered = this.memory;
    this.hold = false;
    this.change(gathered);
  }

  clear() {
    const { language } = this.read();
    this.memory = {};
    try {
      localStorage.removeItem(this.key);
    } catch {
      // It was never there.
    }
    this.memory = { language };
  }

  get pending() {
    return this.read().pending ?? [];
  }

  addPending(message) {
    this.change({ pending: [...this.pending, message] });
  }

  updatePending(id, values) {
    this.change({ pending: this.pending.map((m) => (m.id === id ? { ...m, ...values } : m)) });
  }

  removePending(id) {
    this.change({ pending: this.pending.filter((m) => m.id !== id) });
  }

  // Calls back when another window signed in or out.
  onOtherSession(callback) {
    addEventListener("storage", ({ key, oldValue, newValue }) => {
      if (key !== this.key) return;
      const token = (raw) => JSON.parse(raw ?? "{}")?.visitor;
      if (token(oldValue) !== token(newValue)) callback();
    });
  }
}

// The connection: session, history, WebSocket with resume, long poll where WebSockets are blocked,
// and the queue of unsent messages (one under way at a time, so they arrive in order).

export const API = new URL("../webhooks/webchat/", location.href);
// Where WebSockets are blocked, the class that names this state may be missing too.
const OPEN = 1;
const ACCEPT_MS = 10_000;
// The server lets something be heard every 15 s.
const SILENT_MS = 40_000;
const LOOK_MS = 10_000;
const LONGEST_WAIT_MS = 30_000;
const RELOAD_MS = 60_000;
const SOCKET_AGAIN_MS = 300_000;
// Of no message's fault: no room, too many, a slow line.
const RETRIED = new Set(["busy", "too-many", "too-slow", "unavailable"]);
// A fault of the server's own may be the message's: asked again, but not for ever.
const FAULT = "internal";
const MOST_FAULTS = 5;

export class Refused extends Error {
  constructor(status, code, retryAfter) {
    super(code);
    Object.assign(this, { status, code, retryAfter });
  }
}

export class Transport {
  // `on`: history(history), frame(frame), state("connecting" | "online" | "offline"),
  // delivery(id, "sent" | "failed" | "waiting", details), session(session, isOtherCustomer),
  // reload().
  constructor(options, store, on) {
    Object.assign(this, { options, store, on });
    this.cursor = "";
    this.failures = 0;
    this.blocked = 0;
    this.run = 0;
    this.toldRead = "";
    addEventListener("online", () => this.isStarted && this.restart());
    addEventListener("offline", () => this.isStarted && this.on.state("offline"));
    document.addEventListener("visibilitychange", () => {
      if (this.isStarted && !document.hidden && (!this.isOnline || this.isDead)) this.restart();
    });
    setInterval(() => this.isDead && this.restart(), LOOK_MS);
  }

  start() {
    this.isStarted = true;
    this.restart();
  }

  // Nothing more is asked of the server until `start`.
  stop() {
    this.isStarted = false;
    this.run += 1;
    clearTimeout(this.timer);
    clearTimeout(this.acceptTimer);
    this.socket?.close();
    this.socket = this.inFlight = this.session = null;
    this.isPolling = false;
    this.cursor = "";
  }

  // Drops what is under way; anything still running sees that `run` has moved on.
  restart() {
    this.run += 1;
    clearTimeout(this.timer);
    clearTimeout(this.acceptTimer);
    this.socket?.close();
    this.socket = null;
    this.inFlight = null;
    this.#connect(this.run);
  }

  // A new session under the same store: after a logout, or with an identity. Pages tell who is
  // logged in with every load, so only the answer says whether this is another customer.
  renew(identity) {
    this.identity = identity;
    this.session = null;
    this.former = new Set(this.store.pending.map(({ id }) => id));
    if (this.isStarted) this.restart();
  }

  get isOnline() {
    return this.socket?.readyState === OPEN || this.isPolling;
  }

  // A connection can be dead without knowing it, after sleep or in another network.
  get isDead() {
    return Boolean(this.socket) && Date.now() - this.heardAt > SILENT_MS;
  }

  async #connect(run) {
    this.isPolling = false;
    this.on.state(navigator.onLine ? "connecting" : "offline");
    try {
      await this.#openSession(run);
      if (run !== this.run) return;
      if (!this.cursor) await this.#loadHistory(run);
      if (run !== this.run) return;
      // Two connections in a row that never opened: something in between blocks WebSockets.
      if (this.blocked >= 2 || !("WebSocket" in window)) await this.#poll(run);
      else this.#openSocket(run);
    } catch (error) {
      if (run !== this.run) return;
      // The server itself is away: nothing in between is to blame.
      if (!(error.status < 500)) this.blocked = 0;
      if (error.status === 401) this.#dropToken();
      // An expired login is no reason for silence: the customer goes on as a visitor.
      if (error.code === "bad-identity") this.identity = null;
      if (error.code === "bad-consent") this.#askAgain();
      if (error.status === 403 || error.status === 404) {
        this.on.state("refused");
        return;
      }
      this.#later(run, error.retryAfter);
    }
  }

  #dropToken() {
    this.store.change({ token: "" });
    this.cursor = "";
  }

  #later(run, seconds) {
    if (run !== this.run) return;
    this.isPolling = false;
    this.on.state(navigator.onLine ? "connecting" : "offline");
    // Jitter, so that a restarted server is not met by everybody at once.
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.failures) * (0.5 + Math.random());
    this.failures += 1;
    this.timer = setTimeout(() => {
      if (run === this.run) this.restart();
    }, Math.max(wait, (seconds ?? 0) * 1000));
  }

  async request(path, { body, ...options } = {}) {
    const headers = { Authorization: `Bearer ${this.store.read().token ?? ""}` };
    if (body) headers["Content-Type"] = "application/json";
    const answer = await fetch(new URL(path, API), {
      ...options,
      method: body ? "POST" : "GET",
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
    });
    const data = await answer.json().catch(() => ({}));
    if (answer.ok) return data;
    const after = Number(answer.headers.get("Retry-After")) || undefined;
    throw new Refused(answer.status, data.error?.code ?? "unavailable", after);
  }

  async #openSession(run) {
    const { token = "", visitor, consent: agreed } = this.store.read();
    if (this.session && token && !this.identity) return;
    const { site, origin, locale, zone, wording } = this.options;
    const consent = agreed === wording ? agreed : undefined;
    const { identity } = this;
    const session = await this.request("session", {
      body: { site, origin, token, locale, zone, consent, identity },
    });
    // Somebody has logged in or out meanwhile: this answer is for who was here before.
    if (run !== this.run) return;
    if (this.identity === identity) this.identity = null;
    this.session = session;
    this.store.change({ token: session.token, visitor: session.visitor });
    const isChanged = Boolean(visitor) && visitor !== session.visitor;
    if (isChanged) this.cursor = "";
    const isOther = isChanged && Boolean(this.former);
    if (isOther) this.#forgetFormer();
    this.former = null;
    this.on.session(session, isOther);
  }

  // What was written since the new customer came is theirs.
  #forgetFormer() {
    const pending = this.store.pending.filter(({ id }) => !this.former.has(id));
    this.store.change({ pending, read: undefined, unrated: undefined });
  }

  async #loadHistory(run) {
    const history = await this.request("history");
    if (run !== this.run) return;
    this.cursor = history.cursor;
    this.on.history(history);
  }

  #openSocket(run) {
    const url = new URL("socket", API);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.socket = socket;
    this.heardAt = Date.now();
    let opened = false;
    let retryAfter;
    // What blocks may also swallow: then nobody ever says that it failed.
    const patience = setTimeout(() => socket.close(), ACCEPT_MS);
    socket.onopen = () => {
      clearTimeout(patience);
      opened = true;
      this.blocked = 0;
      const { token } = this.store.read();
      socket.send(JSON.stringify({ type: "hello", token, after: this.cursor }));
    };
    socket.onmessage = ({ data }) => {
      if (run !== this.run) return;
      this.heardAt = Date.now();
      const frame = JSON.parse(data);
      if (frame.type === "error" && !frame.id) retryAfter = frame.retry_after_s;
      this.#take(frame);
    };
    socket.onclose = ({ code }) => {
      if (run !== this.run) return;
      this.socket = null;
      this.inFlight = null;
      clearTimeout(this.acceptTimer);
      if (!opened && navigator.onLine) this.blocked += 1;
      if (code === 4401) this.#dropToken();
      // Too many windows: this one gives way, and asks instead, for a while.
      if (code === 4429) this.blocked = 2;
      this.#later(run, retryAfter);
    };
  }

  #take(frame) {
    switch (frame.type) {
      case "ready":
        this.#online();
        break;
      case "gap":
        this.#loadHistory(this.run).catch(() => {});
        break;
      case "accepted":
        this.#accepted(frame);
        break;
      case "error":
        if (frame.id) this.#refused(frame.id, frame.code, frame.retry_after_s);
        break;
      default:
        if (frame.cursor) this.cursor = frame.cursor;
        this.on.frame(frame);
    }
  }

  #online() {
    this.failures = 0;
    this.on.state("online");
    this.flush();
  }

  async #poll(run) {
    this.isPolling = true;
    this.#online();
    const since = Date.now();
    while (run === this.run) {
      if (Date.now() - since > SOCKET_AGAIN_MS && "WebSocket" in window) {
        // The customer may be in another network by now; one that fails leads back here.
        this.blocked = 1;
        this.restart();
        return;
      }
      const query = new URLSearchParams({ after: this.cursor });
      const { frames, cursor, gap } = await this.request(`poll?${query}`);
      if (run !== this.run) return;
      if (gap) await this.#loadHistory(run);
      else {
        frames.forEach((frame) => this.#take(frame));
        this.cursor = cursor;
      }
    }
  }

  // Queue

  send(message) {
    this.store.addPending(message);
    this.flush();
  }

  retry(id) {
    this.store.updatePending(id, { failed: false });
    this.on.delivery(id, "waiting");
    this.flush();
  }

  typing() {
    if (this.socket?.readyState === OPEN) this.socket.send('{"type":"typing"}');
  }

  // All that came so far has been on the screen; the agents see that.
  read() {
    if (!this.isOnline || this.cursor === this.toldRead) return;
    this.toldRead = this.cursor;
    const body = { type: "read", until: this.cursor };
    if (this.isPolling) this.request("read", { body }).catch(() => {});
    else this.socket.send(JSON.stringify(body));
  }

  async flush() {
    if (this.inFlight || !this.isOnline) return;
    const next = this.store.pending.find((message) => !message.failed);
    if (!next) return;
    this.inFlight = next.id;
    const { run } = this;
    const { id, text, quick_reply, kind, locale, files } = next;
    const { zone } = this.options;
    const attachments = files?.map((file) => file.id);
    const body = { type: "message", id, text, quick_reply, kind, locale, zone, attachments };
    if (!this.isPolling) {
      this.socket.send(JSON.stringify(body));
      this.acceptTimer = setTimeout(() => run === this.run && this.restart(), ACCEPT_MS);
      return;
    }
    try {
      const accepted = await this.request("message", { body });
      if (run === this.run) this.#accepted(accepted);
    } catch (error) {
      if (run !== this.run) return;
      if (error.status === 401) {
        this.#dropToken();
        this.restart();
      } else this.#refused(id, error.code ?? "unavailable", error.retryAfter);
    }
  }

  #accepted({ id, message }) {
    clearTimeout(this.acceptTimer);
    this.faults = 0;
    this.inFlight = null;
    this.store.removePending(id);
    this.on.delivery(id, "sent", { message });
    this.flush();
  }

  // The wording has changed since this page was loaded: the new page asks, and sends what waits.
  #askAgain() {
    const { reloaded = 0 } = this.store.read();
    if (Date.now() - reloaded < RELOAD_MS) return false;
    this.store.change({ reloaded: Date.now() });
    this.on.reload();
    return true;
  }

  #refused(id, code, retryAfter) {
    clearTimeout(this.acceptTimer);
    if (code === "consent-needed" && this.#askAgain()) return;
    this.faults = code === FAULT ? (this.faults ?? 0) + 1 : 0;
    if (RETRIED.has(code) || (code === FAULT && this.faults < MOST_FAULTS)) {
      this.on.delivery(id, "waiting", { code, retryAfter });
      const { run } = this;
      setTimeout(() => {
        if (run !== this.run) return;
        this.inFlight = null;
        this.flush();
      }, (retryAfter ?? 3) * 1000);
      return;
    }
    this.faults = 0;
    this.inFlight = null;
    this.store.updatePending(id, { failed: true });
    this.on.delivery(id, "failed", { code });
    this.flush();
  }
}

// Loader: puts a button on the page and, when asked, the chat in an iframe from our origin.
// <script src="https://chat.example/widget.js" data-site="demo" async></script>
(() => {
  const tag = document.currentScript;
  if (!tag || window.Samvad) return;
  const texts = {{texts}};
  const { site = "demo", colour = "", language = "", title = "", position = "right" } = tag.dataset;
  const base = new URL(".", tag.src);
  const accent = /^#[0-9a-f]{6}$/i.test(colour) ? colour : "#0f5e59";
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
  const ink = r * 0.299 + g * 0.587 + b * 0.114 > 150 ? "#111" : "#fff";
  const side = position === "left" ? "left" : "right";
  const small = matchMedia("(max-width: 480px)");
  const remember = (store, key, value) => {
    // Storage may be forbidden; then the widget forgets, and works.
    try {
      if (value !== undefined) store.setItem(key, value);
      return store.getItem(key);
    } catch {
      return null;
    }
  };
  const keep = (value) => remember(localStorage, `samvad:${site}`, value);
  const stay = (value) => remember(sessionStorage, `samvad:${site}:open`, value);

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host{all:initial}
    button{position:fixed;z-index:2147483000;${side}:20px;bottom:20px;width:60px;height:60px;
      border:0;border-radius:30px;background:${accent};color:${ink};cursor:pointer;padding:0;
      box-shadow:0 6px 20px #0004;transition:transform .15s}
    button:hover{transform:scale(1.05)}
    button:focus-visible{outline:3px solid ${accent};outline-offset:3px;box-shadow:0 0 0 3px #fff}
    svg{width:28px;height:28px;display:block;margin:auto;fill:none;stroke:currentColor;
      stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
    b{position:absolute;top:-4px;${side}:-4px;min-width:22px;height:22px;border-radius:11px;
      font:600 13px/22px system-ui,sans-serif;background:#c2182b;color:#fff;text-align:center}
    b:empty{display:none}
    i{position:fixed;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    iframe{position:fixed;z-index:2147483001;${side}:20px;bottom:92px;width:392px;border:0;
      height:min(660px,calc(100dvh - 112px));border-radius:18px;background:#fff;
      box-shadow:0 12px 48px #0004,0 0 0 1px #0001;color-scheme:normal}
    iframe[hidden]{display:none}
    @media (prefers-color-scheme:dark){iframe{background:#14191b}}
    @media (max-width:480px){iframe{inset:0;width:100%;height:100dvh;border-radius:0}}
    @media (prefers-reduced-motion:no-preference){iframe{animation:in .18s ease-out}
      @keyframes in{from{opacity:0;transform:translateY(12px)}}}
    @media print{:host{display:none}}`);
  root.adoptedStyleSheets = [sheet];
  root.innerHTML = `<button type="button" aria-expanded="false"><svg viewBox="0 0 24 24"
    aria-hidden="true"><path/></svg><b aria-hidden="true"></b></button><i role="status"></i>`;
  const [button, status] = root.children;
  const [icon, badge] = [root.querySelector("path"), root.querySelector("b")];
  let frame, isReady, unread = 0, isOpen = false, waiting = [];
  let words = texts[(language || navigator.language).slice(0, 2).toLowerCase()] || texts.en;

  const show = () => {
    const label = isOpen ? words.close : words.open;
    const news = unread ? words.unread.replace("{n}", unread) : "";
    button.setAttribute("aria-label", news ? `${label}. ${news}` : label);
    button.setAttribute("aria-expanded", isOpen);
    icon.setAttribute("d", isOpen ? "M6 6l12 12M18 6L6 18"
      : "M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2zM8 11h.01M12 11h.01M16 11h.01");
    badge.textContent = unread ? Math.min(unread, 99) : "";
    if (status.textContent !== news) status.textContent = news;
    const plain = document.title.replace(/^\(\d+\) /, "");
    document.title = unread ? `(${unread}) ${plain}` : plain;
    if (frame) {
      frame.hidden = !isOpen;
      frame.title = title || words.title;
    }
    document.documentElement.style.overflow = isOpen && small.matches ? "hidden" : "";
  };
  const tell = (what) => {
    if (isReady) frame.contentWindow.postMessage(what, base.origin);
    else waiting.push(what);
  };
  const load = () => {
    if (frame) return;
    frame = document.createElement("iframe");
    const query = { site, origin: location.origin, colour: accent, language, title };
    frame.src = new URL(`webchat/frame?${new URLSearchParams(query)}`, base);
    frame.hidden = true;
    root.append(frame);
    keep("1");
  };
  const toggle = (open) => {
    load();
    isOpen = open;
    stay(open ? "1" : "");
    show();
    tell({ samvad: open ? "open" : "closed" });
    (open ? frame : button).focus();
  };

  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== base.origin || !data) return;
    if (data.samvad === "ready") {
      isReady = true;
      waiting.splice(0).forEach(tell);
    } else if (data.samvad === "close") toggle(false);
    else if (data.samvad === "unread") unread = data.n;
    else if (data.samvad === "language") words = texts[data.code] || words;
    show();
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen) toggle(false);
  });
  button.addEventListener("click", () => toggle(!isOpen));
  small.addEventListener("change", show);
  window.Samvad = {
    open: () => toggle(true),
    close: () => isOpen && toggle(false),
    send: (text) => (toggle(true), tell({ samvad: "send", text: String(text) })),
    identify: (token) => (load(), tell({ samvad: "identify", token })),
    logout: () => (load(), tell({ samvad: "logout" })),
  };
  const begin = () => {
    document.body.append(host);
    show();
    // Somebody who has chatted before hears of new messages without opening the chat.
    if (keep()) load();
    if (stay() && !small.matches) toggle(true);
  };
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();

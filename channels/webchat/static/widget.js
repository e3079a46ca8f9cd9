// Loader: puts a button on the page and, when asked, the chat in an iframe from our origin.
// <script src="https://chat.example/widget.js" data-site="demo" async></script>
(() => {
  const tag = document.currentScript;
  if (!tag || window.Samvad) return;
  // The button's label in each language; the frame sends the other words.
  const opening = {{opening}};
  const wanted = tag.dataset;
  const { site = "demo", colour, language, title, position, theme } = wanted;
  const base = new URL(".", tag.src);
  // The symbol on the button is white or black, whichever reads better on the colour.
  const accent = /^#[0-9a-f]{6}$/i.test(colour) ? colour : "#0f5e59";
  const side = position || (document.dir === "rtl" ? "left" : "right");
  const small = matchMedia("(max-width:480px)");
  const isDark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme:dark)").matches;
  // Storage may be forbidden; then the widget forgets, and works.
  const key = `samvad:${site}`;
  const remember = (kind, value) => {
    try {
      if (value !== undefined) window[kind][value ? "setItem" : "removeItem"](key, 1);
      return window[kind].getItem(key);
    } catch {}
  };

  const host = document.createElement("div");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
:host{all:initial}
button,iframe{position:fixed;z-index:2147483000;${side}:20px;border:0}
button{bottom:20px;width:60px;height:60px;border-radius:30px;background:${accent};
color:#fff;color:lch(from ${accent} calc((60 - l)*infinity) 0 0);cursor:pointer;padding:0;
box-shadow:0 6px 20px #0004}
button:hover{filter:brightness(1.15)}
button:focus-visible{outline:3px solid ${accent};outline-offset:3px;box-shadow:0 0 0 3px #fff}
svg{width:28px;display:block;margin:auto;fill:none;stroke:currentColor;stroke-width:1.8;
stroke-linecap:round;stroke-linejoin:round}
b{position:absolute;top:-4px;right:-4px;min-width:22px;border-radius:11px;
font:600 13px/22px system-ui;background:#c2182b;color:#fff}
i{position:fixed;clip-path:inset(50%)}
iframe{bottom:92px;width:392px;height:min(660px,calc(100dvh - 112px));border-radius:18px;
background:${isDark ? "#14191b" : "#fff"};box-shadow:0 12px 48px #0004,0 0 0 1px #8883;color-scheme:normal}
[hidden]{display:none}
@media(max-width:480px){iframe{inset:0;width:100%;height:100dvh;border-radius:0}}
@media(prefers-reduced-motion:no-preference){iframe{animation:a .18s}
@keyframes a{from{opacity:0;translate:0 12px}}}
@media print{:host{display:none}}`);
  root.adoptedStyleSheets = [sheet];
  root.innerHTML = `<button type="button"><svg viewBox="0 0 24 24" aria-hidden="true"><path/></svg>
<b aria-hidden="true"></b></button><i role="status"></i>`;
  const [button, status] = root.children;
  const [icon, badge] = root.querySelectorAll("path,b");
  let words = { open: opening[(language || navigator.language).slice(0, 2)] || opening.en };
  let waiting = [];
  let unread = 0;
  let isOpen = false;
  let frame, isReady, keep;

  const show = () => {
    const label = (isOpen && words.close) || words.open;
    const news = unread ? words.unread.replace("{n}", unread) : "";
    button.ariaLabel = news ? `${label}. ${news}` : label;
    button.ariaExpanded = isOpen;
    icon.setAttribute("d", isOpen ? "M6 6l12 12M18 6L6 18"
      : "M5 5h14a2 2 0 012 2v8a2 2 0 01-2 2h-7l-5 4v-4H5a2 2 0 01-2-2V7a2 2 0 012-2zM8 11h0m4 0h0m4 0h0");
    badge.textContent = Math.min(unread, 99);
    badge.hidden = !unread;
    if (status.textContent !== news) status.textContent = news;
    const plain = document.title.replace(/^\(\d+\) /, "");
    document.title = unread ? `(${unread}) ${plain}` : plain;
    if (frame) {
      frame.hidden = !isOpen;
      frame.title = words.title || title || words.open;
    }
    document.documentElement.style.overflow = isOpen && small.matches ? "hidden" : "";
  };
  const tell = (what) => {
    if (isReady) frame.contentWindow.postMessage(what, base.origin);
    else waiting.push(what);
  };
  const tellState = () => tell({ wish: isOpen ? "open" : "closed" });
  const load = () => {
    if (frame) return;
    frame = document.createElement("iframe");
    const query = { ...wanted, site, origin, colour: accent };
    frame.src = new URL(`webchat/frame?${new URLSearchParams(query)}`, base);
    frame.hidden = true;
    root.append(frame);
  };
  const toggle = (open) => {
    load();
    isOpen = open;
    if (keep) remember("sessionStorage", open);
    show();
    tellState();
    (open ? frame : button).focus();
  };

  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== base.origin) return;
    ({ unread = unread, words = words, ready: isReady = isReady } = data);
    if ("keep" in data) {
      // Before the customer has agreed, and after they had all deleted, nothing is kept here.
      ({ keep } = data);
      remember("localStorage", keep);
      remember("sessionStorage", keep && isOpen);
    }
    // A frame that has loaded itself anew does not know that it is open.
    if (data.ready) {
      tellState();
      waiting.splice(0).forEach(tell);
    }
    if (data.close) toggle(false);
    else show();
  });
  addEventListener("keydown", ({ key }) => key === "Escape" && isOpen && toggle(false));
  button.onclick = () => toggle(!isOpen);
  small.onchange = show;
  const ask = (wish) => (value) => {
    if (wish === "send") toggle(true);
    load();
    tell({ wish, value });
  };
  window.Samvad = {
    open: () => toggle(true),
    close: () => isOpen && toggle(false),
    send: ask("send"),
    identify: ask("identify"),
    logout: ask("logout"),
  };
  const begin = () => {
    document.body.append(host);
    show();
    // Somebody who has chatted before hears of new messages without opening the chat.
    if (remember("localStorage")) load();
    if (remember("sessionStorage") && !small.matches) toggle(true);
  };
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
})();

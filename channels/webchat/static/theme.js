// Colour and brightness, from the attributes of the script tag.

export function dress(accent, theme) {
  const root = document.documentElement;
  if (/^#[0-9a-f]{6}$/i.test(accent)) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(accent.slice(at, at + 2), 16));
    root.style.setProperty("--accent", accent);
    root.style.setProperty("--on-accent", r * 0.299 + g * 0.587 + b * 0.114 > 150 ? "#111" : "#fff");
  }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const use = () => {
    root.dataset.theme = ["light", "dark"].includes(theme) ? theme : dark.matches ? "dark" : "light";
  };
  dark.addEventListener("change", use);
  use();
}

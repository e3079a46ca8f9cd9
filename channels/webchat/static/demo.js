// The shop's buttons open the chat; what the widget offers is documented in docs/webchat.md.

document.querySelector("[data-open]").addEventListener("click", () => window.Samvad?.open());
for (const button of document.querySelectorAll("[data-ask]")) {
  button.addEventListener("click", () => window.Samvad?.send(button.textContent));
}

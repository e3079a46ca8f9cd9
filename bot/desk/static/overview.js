// The supervisors' overview: fetched again every few seconds while somebody looks.
import { localise, tick } from "./clock.js";

const EVERY_MS = 4000;
const root = document.getElementById("overview");

async function refresh() {
  // Whoever reads or tabs through a table shall not lose their place.
  if (document.hidden || root.contains(document.activeElement)) return;
  const answer = await fetch("/overview", { headers: { "X-Fragment": "overview" } }).catch(() => null);
  if (answer?.redirected || answer?.status === 401) location.assign("/login");
  if (!answer?.ok) return;
  root.innerHTML = await answer.text();
  localise(root);
}

localise(document);
setInterval(tick, 1000);
setInterval(refresh, EVERY_MS);

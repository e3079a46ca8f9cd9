// Times in the agent's own zone, and waiting times that tick.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const both = new Intl.DateTimeFormat(undefined, {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
});
const LONG_WAIT_S = 300;

// The same forms as bot/desk/present.py `duration`, with seconds below ten minutes.
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 600) return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))}`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function localise(root) {
  for (const element of root.querySelectorAll("time[data-at]")) {
    const at = new Date(Number(element.dataset.at) * 1000);
    element.dateTime = at.toISOString();
    element.title ||= both.format(at);
    if (element.dataset.form === "date") element.textContent = both.format(at);
    else if (element.classList.contains("when") && !sameDay(at, new Date())) element.textContent = day.format(at);
    else element.textContent = time.format(at);
  }
  tick(root);
}

export function dayName(at) {
  return both.format(at).split(",").slice(0, -1).join(",") || day.format(at);
}

export function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

export function tick(root = document) {
  const now = Date.now() / 1000;
  for (const element of root.querySelectorAll("time[data-since]")) {
    const waited = now - Number(element.dataset.since);
    const text = duration(waited);
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("long", waited > LONG_WAIT_S);
  }
}

// Times in the agent's own zone and language, and waiting times that tick.
import { locale, number, t } from "./texts.js";

const form = (options) => new Intl.DateTimeFormat(locale, options);
const time = form({ hour: "2-digit", minute: "2-digit" });
const day = form({ day: "numeric", month: "short" });
const longDay = form({ weekday: "long", day: "numeric", month: "long" });
const both = form({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const two = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });
const LONG_WAIT_S = 300;
const DAY_MS = 86_400_000;

// The same forms as bot/desk/conversation/present.py `duration`, with seconds below ten minutes.
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 600) return `${number(Math.floor(whole / 60))}:${two.format(whole % 60)}`;
  if (whole < 3600) return t("minutes", { n: Math.floor(whole / 60) });
  const hours = Math.floor(whole / 3600);
  if (whole < 86400) return t("hours", { hours, minutes: two.format(Math.floor((whole % 3600) / 60)) });
  return t("days", { days: Math.floor(whole / 86400), hours: hours % 24 });
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
  const now = new Date();
  if (sameDay(at, now)) return t("today");
  return sameDay(at, new Date(now.getTime() - DAY_MS)) ? t("yesterday") : longDay.format(at);
}

export function sameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

export function tick(root = document) {
  const now = Date.now() / 1000;
  for (const element of root.querySelectorAll("time[data-zone]")) {
    const text = form({ weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: element.dataset.zone }).format(now * 1000);
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of root.querySelectorAll("time[data-since]")) {
    const waited = now - Number(element.dataset.since);
    const text = duration(waited);
    if (element.textContent !== text) element.textContent = text;
    element.classList.toggle("long", waited > LONG_WAIT_S);
  }
}

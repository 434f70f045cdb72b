// Today in counts: the very summary that peers may get, shown before they do.
import { el, need, replaceIfChanged, setText } from "./dom.ts";
import { count, counted } from "./format.ts";
import { visible } from "./text.ts";
import type { Preview, Risk } from "./types.ts";

const risks: Risk[] = ["safe", "moderate", "high", "critical"];
const svg = "http://www.w3.org/2000/svg";

/** showToday fills the card, or hides it when there is no preview. */
export function showToday(p: Preview | null): void {
  const card = need("today");
  card.hidden = p === null;
  if (!p) return;
  const s = p.summary;
  setText(need("today-note"), `${counted(s.total_commands, "command", "commands")}, day in UTC`);
  const mark = JSON.stringify([s.hourly_activity, s.category_stats, s.safety_stats, p.shared_with, p.denied_categories]);
  replaceIfChanged(need("today-body"), mark, () =>
    s.total_commands === 0
      ? [el("p", { class: "empty" }, "Nothing has been counted today.")]
      : [hours(s.hourly_activity), riskBar(s.safety_stats.by_risk), categories(s.category_stats), shared(p)],
  );
}

/** hours draws one bar for each hour of the day. */
function hours(activity: readonly number[]): HTMLElement {
  const most = Math.max(1, ...activity);
  const busiest = activity.indexOf(Math.max(...activity));
  const chart = document.createElementNS(svg, "svg");
  chart.setAttribute("viewBox", "0 0 240 56");
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `Commands by hour of the day; most, ${activity[busiest] ?? 0}, from ${busiest} to ${busiest + 1} o'clock UTC`);
  activity.forEach((n, hour) => {
    const height = n > 0 ? Math.max(2, (n / most) * 52) : 1;
    const bar = document.createElementNS(svg, "rect");
    for (const [k, v] of Object.entries({ x: hour * 10 + 1, y: 56 - height, width: 8, height, rx: 1 })) bar.setAttribute(k, String(v));
    if (n === 0) bar.setAttribute("class", "none");
    const title = document.createElementNS(svg, "title");
    title.textContent = `${hour}:00 to ${hour + 1}:00 UTC: ${counted(n, "command", "commands")}`;
    bar.append(title);
    chart.append(bar);
  });
  const axis = el("div", { class: "axis", "aria-hidden": "true" }, ...["0", "6", "12", "18", "24"].map((h) => el("span", {}, h)));
  return el("div", { class: "hours" }, chart, axis);
}

function riskBar(by: Record<Risk, number>): HTMLElement {
  const bar = el("div", { class: "riskbar", "aria-hidden": "true" });
  const legend = el("ul", { class: "legend" });
  for (const r of risks) {
    const n = by[r] ?? 0;
    if (n > 0) {
      const part = el("span", { class: r });
      part.style.flexGrow = String(n);
      bar.append(part);
    }
    legend.append(el("li", {}, el("span", { class: `swatch ${r}`, "aria-hidden": "true" }), `${r} `, el("b", {}, count(n))));
  }
  return el("div", {}, bar, legend);
}

function categories(stats: Preview["summary"]["category_stats"]): HTMLElement {
  const top = [...stats].sort((a, b) => b.count - a.count).slice(0, 6);
  const most = Math.max(1, ...top.map((c) => c.count));
  return el(
    "ul",
    { class: "categories" },
    ...top.map((c) => {
      const bar = el("span", { class: "bar", "aria-hidden": "true" });
      bar.style.width = `${(c.count / most) * 100}%`;
      const name = visible(c.category.replace(/^other:/, ""));
      const failed = c.failure_count > 0 ? ` (${count(c.failure_count)} failed)` : "";
      return el("li", { title: `${name}: ${count(c.count)}${failed}` }, el("span", {}, name), el("span", { class: "track" }, bar), el("b", {}, count(c.count)));
    }),
  );
}

function shared(p: Preview): HTMLElement {
  const names = p.shared_with.map((r) => visible(r.name ?? "") || "a node without a name");
  const text = names.length > 0 ? `Counts like these, and nothing else, go to ${list(names)}.` : "Nothing of this is shared with anybody.";
  const denied = p.denied_categories.length > 0 ? ` Kept out: ${list(p.denied_categories.map(visible))}.` : "";
  return el("p", { class: "quiet shared" }, text + denied);
}

/** list writes "a", "a and b", "a, b and 3 others". */
function list(names: readonly string[]): string {
  if (names.length <= 1) return names.join("");
  if (names.length <= 3) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, 2).join(", ")} and ${names.length - 2} others`;
}

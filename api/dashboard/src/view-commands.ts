// The list of commands. Each row is a details element: one line, and everything about the command when opened.
import { el, need, reconcile, replaceIfChanged, setText } from "./dom.ts";
import { clock, counted, duration, moment } from "./format.ts";
import { isFiltered, type Commands, type Filter } from "./list.ts";
import { oneLine, pieces, visible, whole } from "./text.ts";
import type { CommandEvent } from "./types.ts";

/** showCommands fills the list. */
export function showCommands(c: Commands, f: Filter, now: Date): void {
  reconcile(
    need("list"),
    c.events,
    (e) => e.id,
    createRow,
    (row, e) => {
      const time = row.querySelector("time");
      if (time) setText(time, clock(new Date(e.timestamp), now));
    },
  );
  // For the browser's performance tools, and the test that reports how long the first data took.
  if (performance.getEntriesByName("commands").length === 0) performance.mark("commands");
  need("older").hidden = c.cursor === "";
  const empty = need("empty");
  empty.hidden = c.events.length > 0;
  if (c.events.length === 0) {
    replaceIfChanged(empty, isFiltered(f) ? "filtered" : "first", () => (isFiltered(f) ? nothingFound() : nothingYet()));
  }
}

/** announce tells screen readers how many commands a search has found. */
export function announce(c: Commands, f: Filter): void {
  const n = counted(c.events.length, "command", "commands");
  setText(need("found"), isFiltered(f) ? `${n}${c.cursor ? " and more" : ""} found` : "");
}

function nothingFound(): Node[] {
  return [el("p", {}, "No command matches."), el("p", {}, "Press Escape in the search field to see all again.")];
}

function nothingYet(): Node[] {
  return [
    el("p", {}, "No commands yet. Hook your shell with one line, then type something in it:"),
    el("pre", {}, el("code", {}, 'eval "$(caro-node shell init bash)"')),
    el("p", {}, "The same works for zsh. For fish: ", el("code", {}, "caro-node shell init fish | source")),
  ];
}

function createRow(e: CommandEvent): HTMLElement {
  const details = el(
    "details",
    {},
    el(
      "summary",
      {},
      el("time", { title: moment(new Date(e.timestamp)) }),
      el("code", { class: "command" }, ...typed(oneLine(e.command))),
      el("span", { class: "badges" }, ...badges(e)),
      el("span", { class: "took" }, e.duration_ms === undefined ? "" : duration(e.duration_ms)),
    ),
  );
  details.addEventListener("toggle", () => {
    // Built when it is first wanted: most rows are never opened.
    if (details.open && details.children.length === 1) details.append(more(e));
  });
  return el("li", { class: `risk-${e.risk_level}` }, details);
}

/** typed shows what was typed as text, with signs in the place of characters that hide or reorder. */
function typed(command: string): (Node | string)[] {
  return pieces(command).map((p) => (p.hidden ? el("span", { class: "sign", title: "A character that is not seen" }, p.text) : p.text));
}

/** badges names what is remarkable. Never by colour alone. */
function badges(e: CommandEvent): Node[] {
  const out: Node[] = [];
  const add = (kind: string, text: string, title: string) => out.push(el("span", { class: `badge ${kind}`, title }, text));
  if (e.blocked) add("blocked", "stopped", "The guard stopped it; it did not run.");
  if (e.risk_level !== "safe") add(e.risk_level, e.risk_level, `Risk: ${e.risk_level}`);
  if (e.exit_code !== undefined && e.exit_code !== 0) add("exit", `exit ${e.exit_code}`, "It failed.");
  if (e.caro_generated) add("plain", "generated", "A program wrote it.");
  if (e.redactions.length > 0) add("plain", "redacted", `Replaced before storage: ${e.redactions.map(visible).join(", ")}`);
  return out;
}

function more(e: CommandEvent): HTMLElement {
  const facts: [string, string][] = [
    ["Folder", visible(e.cwd)],
    ["Started", moment(new Date(e.timestamp))],
    ["Took", e.duration_ms === undefined ? "unknown" : duration(e.duration_ms)],
    ["Exit code", e.exit_code === undefined ? "unknown" : String(e.exit_code)],
    ["Risk", e.risk_level + (e.user_confirmed ? ", confirmed by you" : "") + (e.blocked ? ", stopped by the guard" : "")],
    ["Category", visible(e.category)],
    ["Shell", visible(e.shell) + (e.session ? `, session ${visible(e.session)}` : "")],
  ];
  if (e.caro_generated || e.caro_executed) {
    facts.push(["Origin", [e.caro_generated && "written by a program", e.caro_executed && "run by a program"].filter(Boolean).join(", ")]);
  }
  if (e.redactions.length > 0) facts.push(["Redacted", e.redactions.map(visible).join(", ")]);
  return el(
    "div",
    { class: "more" },
    el("pre", {}, el("code", {}, ...typed(whole(e.command)))),
    el("dl", {}, ...facts.flatMap(([k, v]) => [el("dt", {}, k), el("dd", {}, v)])),
  );
}

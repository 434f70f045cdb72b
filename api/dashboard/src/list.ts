// The list of commands: what is asked for, and how a fresh first page and the pages loaded before go together.
import type { CommandEvent, EventPage, Risk } from "./types.ts";

export interface Filter {
  search: string;
  minRisk: Risk;
  failed: boolean;
}

export const everything: Filter = { search: "", minRisk: "safe", failed: false };

/** isFiltered tells whether the filter leaves anything out. */
export function isFiltered(f: Filter): boolean {
  return f.search.trim() !== "" || f.minRisk !== "safe" || f.failed;
}

/** eventsPath returns the path of one page of commands. */
export function eventsPath(f: Filter, limit: number, cursor = ""): string {
  const q = new URLSearchParams({ limit: String(limit) });
  const search = f.search.trim();
  if (search) q.set("search", search);
  if (f.minRisk !== "safe") q.set("min_risk", f.minRisk);
  if (f.failed) q.set("failed", "true");
  if (cursor) q.set("cursor", cursor);
  return `events?${q}`;
}

/** Commands is what is shown: newest first, with the cursor of what comes after, "" at the end. */
export interface Commands {
  events: CommandEvent[];
  cursor: string;
  /** extended tells that older pages were added, which then stay. */
  extended: boolean;
}

export const noCommands: Commands = { events: [], cursor: "", extended: false };

/** mergeHead puts a fresh first page in the place of the last one, before the older pages that were added. When the two
 * do not meet, because more than a page has happened since, the fresh page alone counts: a list must not hide a gap. */
export function mergeHead(now: Commands, head: EventPage): Commands {
  const fresh: Commands = { events: head.events, cursor: head.next_cursor ?? "", extended: false };
  const last = head.events.at(-1);
  if (!now.extended || !fresh.cursor || !last) return fresh;
  const at = now.events.findIndex((e) => e.id === last.id);
  if (at < 0) return fresh;
  return { events: [...head.events, ...now.events.slice(at + 1)], cursor: now.cursor, extended: true };
}

/** appendPage puts an older page behind, without what is there already. */
export function appendPage(now: Commands, page: EventPage): Commands {
  const known = new Set(now.events.map((e) => e.id));
  return { events: [...now.events, ...page.events.filter((e) => !known.has(e.id))], cursor: page.next_cursor ?? "", extended: true };
}

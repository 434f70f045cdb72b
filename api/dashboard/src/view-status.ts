// The header and the row of figures.
import { el, need, reconcile, setAttribute, setText } from "./dom.ts";
import { ago, bytes, clock, count, counted, moment, span } from "./format.ts";
import { visible } from "./text.ts";
import type { Status } from "./types.ts";

interface Tile {
  label: string;
  value: string;
  note: string;
  title?: string;
  alert?: boolean;
}

const healthWords: Record<Status["health"], string> = {
  ok: "Healthy",
  starting: "Starting",
  degraded: "Needs a look",
  failing: "Failing",
};

/** showStatus fills header and figures. */
export function showStatus(s: Status, now: Date): void {
  const name = visible(s.display_name) || s.fingerprint;
  setText(need("name"), name);
  setText(need("ident"), `${s.fingerprint} \u00b7 version ${visible(s.version)}`);
  setAttribute(need("ident"), "title", s.node_id);
  const title = `${name} \u2013 caro-node`;
  if (document.title !== title) document.title = title;

  const health = need("health");
  health.hidden = false;
  health.dataset["health"] = s.health;
  setText(health, healthWords[s.health] ?? s.health);
  setAttribute(health, "title", s.health_reasons.map(visible).join("\n"));

  const order = tiles(s, now);
  reconcile(need("tiles"), order, (t) => t.label, createTile, updateTile);
}

function tiles(s: Status, now: Date): Tile[] {
  const started = new Date(s.started_at);
  return [
    {
      label: "Commands",
      value: count(s.events),
      note: `${count(s.events_24h)} in the last 24 hours`,
    },
    recording(s, now),
    {
      label: "Peers",
      value: s.peers.known > 0 ? `${count(s.peers.connected)} of ${count(s.peers.known)}` : "none",
      note: s.peers.pending > 0 ? `${counted(s.peers.pending, "waits", "wait")} for your decision` : s.peers.known > 0 ? "connected" : "not needed",
      alert: s.peers.pending > 0,
    },
    { label: "Uptime", value: span(s.uptime_seconds), note: `since ${clock(started, now)}`, title: moment(started) },
    {
      label: "Memory",
      value: s.memory.rss_bytes > 0 ? bytes(s.memory.rss_bytes) : bytes(s.memory.heap_bytes),
      note: s.memory.rss_bytes > 0 ? `of it ${bytes(s.memory.heap_bytes)} live data` : "live data",
    },
    {
      label: "Database",
      value: bytes(s.database.size_bytes + s.database.wal_bytes),
      note: `${counted(s.database.summaries, "summary", "summaries")}, ${count(s.database.audit_entries)} audit records`,
      title: s.database.path,
    },
  ];
}

function recording(s: Status, now: Date): Tile {
  const last = s.spool.last_event_at ? ago(new Date(s.spool.last_event_at), now) : "nothing yet";
  const notes: string[] = [];
  if (s.spool.pending_bytes > 0) notes.push(`${bytes(s.spool.pending_bytes)} to read`);
  if (s.spool.ignored > 0) notes.push(`${count(s.spool.ignored)} kept out by filters`);
  if (s.spool.torn > 0) notes.push(`${counted(s.spool.torn, "record", "records")} cut in half`);
  if (s.spool.last_error) notes.unshift(visible(s.spool.last_error));
  return {
    label: "Last command",
    value: last,
    note: notes.join(", ") || "all recorded",
    alert: s.spool.torn > 0 || Boolean(s.spool.last_error),
  };
}

function createTile(t: Tile): HTMLElement {
  return el("div", { class: "tile" }, el("p", { class: "label" }, t.label), el("p", { class: "value" }), el("p", { class: "note" }));
}

function updateTile(e: HTMLElement, t: Tile): void {
  const [, value, note] = e.children;
  if (value) setText(value, t.value);
  if (note) setText(note, t.note);
  e.classList.toggle("alert", t.alert ?? false);
  if (t.title) setAttribute(e, "title", t.title);
}

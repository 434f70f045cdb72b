// The other nodes.
import { el, need, reconcile, replaceIfChanged, setAttribute, setText } from "./dom.ts";
import { ago, roundTrip, span } from "./format.ts";
import { visible } from "./text.ts";
import { claim } from "./trust.ts";
import type { Peer, PeerState } from "./types.ts";

const stateWords: Record<PeerState, string> = {
  connected: "connected",
  offline: "offline",
  refused: "refuses us",
  untrusted: "not trusted",
  pending: "waits for you",
};

const trustWords: Record<string, string> = {
  untrusted: "gets nothing",
  share_to: "gets your summaries",
  query_from: "may ask",
  peer: "gets summaries, may ask",
  supervisor: "may ask for team sums",
};

export type Decide = (p: Peer, all: readonly Peer[]) => void;

/** showPeers fills the list of peers. decide is called when a person wants to decide about one that waits. */
export function showPeers(peers: readonly Peer[], now: Date, decide: Decide): void {
  // A row without its button must not take the focus along.
  const waited = document.activeElement?.closest<HTMLElement>("#peers .ask");
  reconcile(
    need("peers"),
    peers,
    (p) => p.node_id || p.peer_id,
    create,
    (e, p) => {
      update(e, p, now);
      const button = e.querySelector("button");
      if (button) button.onclick = () => decide(p, peers);
    },
  );
  if (waited && (waited.hidden || !waited.isConnected)) need("peers-card").focus();
  const connected = peers.filter((p) => p.state === "connected").length;
  setText(need("peers-note"), peers.length > 0 ? `${connected} of ${peers.length} connected` : "");
  const empty = need("no-peers");
  empty.hidden = peers.length > 0;
  if (peers.length === 0) {
    replaceIfChanged(empty, "none", () => [
      el("p", {}, "No other node yet. Everything above works alone."),
      el("p", {}, "To meet one, run ", el("code", {}, "caro-node peers add"), " with the address that ", el("code", {}, "caro-node id"), " prints on its machine."),
    ]);
  }
}

function create(): HTMLElement {
  return el(
    "li",
    {},
    el("span", { class: "dot", "aria-hidden": "true" }),
    el("div", { class: "peer" }, el("p", { class: "name" }), el("p", { class: "note" })),
    el("div", { class: "state" }, el("p"), el("p", { class: "note" })),
    el("div", { class: "ask" }, el("p", { class: "note lines" }), el("button", { class: "act" }, "Decide\u2026")),
  );
}

function update(e: HTMLElement, p: Peer, now: Date): void {
  e.dataset["state"] = p.state;
  const texts = e.querySelectorAll("p");
  const waits = p.state === "pending";
  const name = waits && p.display_name ? claim(p) : p.display_name ? visible(p.display_name) : p.fingerprint;
  const values = [name, note(p), state(p), when(p, now), waits ? [p.fingerprint, ...p.addresses.map(visible)].join("\n") : ""];
  texts.forEach((t, i) => setText(t, values[i] ?? ""));
  const ask = e.querySelector<HTMLElement>(".ask");
  if (ask) ask.hidden = !waits;
  const button = e.querySelector("button");
  if (button) setAttribute(button, "aria-label", `Decide about ${p.fingerprint}`);
  setAttribute(e, "title", [p.node_id, ...p.addresses.map(visible), ...running(p), `trust ${p.trust} by ${visible(p.rule.name)} (${place(p)})`].join("\n"));
}

function state(p: Peer): string {
  if (p.online && p.health === "degraded") return "needs a look";
  if (p.online && p.state === "offline") return "online elsewhere";
  return stateWords[p.state] ?? p.state;
}

/** running tells what a node says of itself. */
function running(p: Peer): string[] {
  const said = [];
  if (p.caro_version) said.push(`version ${visible(p.caro_version)}`);
  if (p.uptime_seconds !== undefined) said.push(`up ${span(p.uptime_seconds)}`);
  return said.length > 0 ? [said.join(", ")] : [];
}

function note(p: Peer): string {
  if (p.state === "pending") return p.display_name ? "unverified name" : "gives no name";
  if (p.state !== "connected" && p.state_reason) return visible(p.state_reason);
  return trustWords[p.trust] ?? p.trust;
}

function when(p: Peer, now: Date): string {
  if (p.state === "connected") return p.rtt_ms === undefined ? "" : roundTrip(p.rtt_ms);
  return p.last_seen ? ago(new Date(p.last_seen), now) : "";
}

function place(p: Peer): string {
  return p.rule.line ? `${visible(p.rule.source)}, line ${p.rule.line}` : visible(p.rule.source);
}

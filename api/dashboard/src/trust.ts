// What a person may call another node, and what is said of it. Everything here is pure.
import { visible } from "./text.ts";
import type { Grant, Peer } from "./types.ts";

/** Choice is one of the things that a person may decide about a node. */
export interface Choice {
  /** value is what the API calls it. */
  value: string;
  /** name is what people call it. */
  name: string;
  /** meaning says in one sentence what the node gets by it. */
  meaning: string;
}

/** choices are the decisions about a node that waits, the one that gives least first. Leaving it waiting is none of them:
 * for that, nothing has to be done. */
export const choices: readonly Choice[] = [
  { value: "deny", name: "refuse", meaning: "It is refused, whatever other rules say, until you take that back on the command line." },
  { value: "supervisor", name: "supervisor", meaning: "It may ask for sums over many nodes, and never for your numbers alone." },
  { value: "share_to", name: "share_to", meaning: "It gets your summaries, which are counts, and may ask nothing." },
  { value: "query_from", name: "query_from", meaning: "It may ask for your counts and for sums over many nodes, and gets no summaries." },
  { value: "peer", name: "peer", meaning: "It gets your summaries, and may ask for your counts and for sums over many nodes." },
];

/** claim says what a node that waits calls itself. Anybody can call itself anything, so the name is never shown bare. */
export function claim(p: Peer): string {
  return p.display_name ? `\u201c${visible(p.display_name)}\u201d` : "no name";
}

/** namesake returns the fingerprint of another node that bears the name which p claims, in whatever case; "" if none does. */
export function namesake(p: Peer, all: readonly Peer[]): string {
  const name = plain(p.display_name);
  if (!name) return "";
  return all.find((o) => o.node_id !== p.node_id && plain(o.display_name) === name)?.fingerprint ?? "";
}

function plain(name: string | undefined): string {
  return (name ?? "").normalize("NFKC").trim().toLowerCase();
}

/** groups cuts a fingerprint into fours, in which it is easier to compare. */
export function groups(fingerprint: string): string[] {
  return fingerprint.match(/.{1,4}/gu) ?? [];
}

/** outcome says what is in force after a decision, which is not what was chosen where another rule decides. */
export function outcome(chosen: Choice, g: Grant): string {
  const inForce = g.deny ? "deny" : g.trust;
  if (inForce === chosen.value) {
    return chosen.value === "deny" ? `${g.fingerprint} is refused from now on.` : `${g.fingerprint} is ${chosen.name} now; it is connected as soon as it can be reached.`;
  }
  const now = g.deny ? "it stays refused" : `it is ${visible(g.trust)}`;
  return `Your decision about ${g.fingerprint} is kept, but another rule decides: ${now}, by ${visible(g.rule.name)} (${visible(g.rule.source)}).`;
}

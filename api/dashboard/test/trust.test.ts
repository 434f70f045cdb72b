import assert from "node:assert/strict";
import { test } from "node:test";
import { choices, claim, groups, namesake, outcome, type Choice } from "../src/trust.ts";
import type { Grant, Peer } from "../src/types.ts";

const peer = (id: string, name?: string) => ({ node_id: id, fingerprint: `print of ${id}`, display_name: name }) as Peer;
const choice = (value: string): Choice => choices.find((c) => c.value === value) ?? assert.fail(value);
const grant = (trust: string, deny = false) =>
  ({ fingerprint: "a1b2c3d4e5f60718", trust, deny, rule: { name: "subnet 10.0.1.0/24", source: "config.toml" } }) as Grant;

test("every level can be chosen, and refusing; each says in one sentence what it gives", () => {
  assert.deepEqual(choices.map((c) => c.value).sort(), ["deny", "peer", "query_from", "share_to", "supervisor"]);
  for (const c of choices) assert.match(c.meaning, /^[A-Z][^.]*\.$/, c.value);
});

test("a claimed name stands in quotes, and what hides in it is shown", () => {
  assert.equal(claim(peer("a", "bob")), "\u201cbob\u201d");
  assert.equal(claim(peer("a", "bob\u202e")), "\u201cbob\u27e8U+202E\u27e9\u201d");
  assert.equal(claim(peer("a")), "no name");
});

test("a name that another node bears is noticed, however it is written", () => {
  const all = [peer("a", "Bob"), peer("b", "bob "), peer("c")];
  assert.equal(namesake(all[1] as Peer, all), "print of a");
  assert.equal(namesake(peer("d", "\uff42ob"), all), "print of a");
  assert.equal(namesake(all[2] as Peer, [...all, peer("e")]), "", "two nodes without a name are no namesakes");
  assert.equal(namesake(all[0] as Peer, [all[0] as Peer]), "");
});

test("a fingerprint is cut into fours and stays whole", () => {
  assert.deepEqual(groups("a1b2c3d4e5f60718"), ["a1b2", "c3d4", "e5f6", "0718"]);
  assert.deepEqual(groups(""), []);
});

test("what is said after a decision is what is in force, also where another rule decides", () => {
  assert.match(outcome(choice("peer"), grant("peer")), /^a1b2c3d4e5f60718 is peer now/);
  assert.match(outcome(choice("deny"), grant("untrusted", true)), /is refused from now on/);
  assert.match(outcome(choice("peer"), grant("share_to")), /another rule decides: it is share_to, by subnet 10\.0\.1\.0\/24 \(config\.toml\)/);
  assert.match(outcome(choice("peer"), grant("untrusted", true)), /it stays refused/);
});

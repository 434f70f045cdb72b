import assert from "node:assert/strict";
import { test } from "node:test";
import { appendPage, everything, eventsPath, isFiltered, mergeHead, noCommands } from "../src/list.ts";
import type { CommandEvent } from "../src/types.ts";

const event = (id: number) => ({ id: String(id) }) as CommandEvent;
const events = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => event(from - i));
const ids = (list: readonly CommandEvent[]) => list.map((e) => Number(e.id));

test("only what is filtered stands in the request", () => {
  assert.equal(eventsPath(everything, 50), "events?limit=50");
  assert.equal(
    eventsPath({ search: "  a&b=c ", minRisk: "high", failed: true }, 50, "cur"),
    "events?limit=50&search=a%26b%3Dc&min_risk=high&failed=true&cursor=cur",
  );
  assert.equal(isFiltered(everything), false);
  assert.equal(isFiltered({ ...everything, search: " " }), false);
  assert.equal(isFiltered({ ...everything, failed: true }), true);
});

test("a fresh first page goes before older pages, which stay with their cursor", () => {
  const merged = mergeHead({ events: events(10, 1), cursor: "older", extended: true }, { events: events(12, 8), next_cursor: "head" });
  assert.deepEqual(ids(merged.events), [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  assert.equal(merged.cursor, "older");
  assert.equal(merged.extended, true);
});

test("without older pages the fresh page takes the place of the last, so that the list does not grow", () => {
  const merged = mergeHead({ events: events(10, 6), cursor: "old", extended: false }, { events: events(12, 8), next_cursor: "head" });
  assert.deepEqual(ids(merged.events), [12, 11, 10, 9, 8]);
  assert.equal(merged.cursor, "head");
});

test("when more than a page has happened, nothing is shown that hides the gap", () => {
  const merged = mergeHead({ events: events(10, 1), cursor: "older", extended: true }, { events: events(30, 26), next_cursor: "head" });
  assert.deepEqual(ids(merged.events), [30, 29, 28, 27, 26]);
  assert.equal(merged.cursor, "head");
});

test("a first page that holds everything replaces what was there", () => {
  assert.deepEqual(mergeHead({ events: events(10, 1), cursor: "older", extended: true }, { events: [] }), noCommands);
  assert.deepEqual(ids(mergeHead({ events: events(3, 1), cursor: "", extended: true }, { events: events(4, 2) }).events), [4, 3, 2]);
});

test("an older page is added without repeating what is there", () => {
  const more = appendPage({ events: events(10, 6), cursor: "a", extended: false }, { events: events(7, 3), next_cursor: "b" });
  assert.deepEqual(ids(more.events), [10, 9, 8, 7, 6, 5, 4, 3]);
  assert.equal(more.cursor, "b");
  assert.equal(appendPage(more, { events: [] }).cursor, "");
});

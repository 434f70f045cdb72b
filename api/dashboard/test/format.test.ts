import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, bytes, clock, count, counted, duration, roundTrip, span } from "../src/format.ts";

test("counts are grouped and take their noun's form", () => {
  assert.equal(count(48213), "48,213");
  assert.equal(counted(1, "command", "commands"), "1 command");
  assert.equal(counted(0, "command", "commands"), "0 commands");
});

test("sizes have a unit and few digits", () => {
  for (const [n, want] of [
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [29 << 20, "29.0 MiB"],
    [150 * 2 ** 20, "150 MiB"],
    [3 * 2 ** 40, "3.0 TiB"],
    [5000 * 2 ** 40, "5000 TiB"],
  ] as const) {
    assert.equal(bytes(n), want);
  }
});

test("spans name their two largest units and skip empty ones", () => {
  for (const [s, want] of [
    [-5, "0 s"],
    [0, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3600 + 59, "1 h"],
    [53 * 3600 + 17 * 60, "2 d 5 h"],
    [86400 + 61, "1 d"],
  ] as const) {
    assert.equal(span(s), want);
  }
});

test("durations change their unit with their size", () => {
  for (const [ms, want] of [
    [0, "0 ms"],
    [999, "999 ms"],
    [8412, "8.4 s"],
    [59_949, "59.9 s"],
    [59_950, "1 min"],
    [403_210, "6 min 43 s"],
    [7_200_000, "2 h"],
  ] as const) {
    assert.equal(duration(ms), want);
  }
});

test("distances are rough, and the future is now", () => {
  const now = new Date("2026-11-23T12:30:00Z");
  for (const [seconds, want] of [
    [-3600, "now"],
    [4, "now"],
    [9, "9 s ago"],
    [180, "3 min ago"],
    [26 * 3600, "26 h ago"],
    [50 * 3600, "2 days ago"],
  ] as const) {
    assert.equal(ago(new Date(now.getTime() - seconds * 1000), now), want);
  }
});

test("times are as short as they stay clear", () => {
  const now = new Date(2026, 10, 23, 12, 30, 0);
  assert.equal(clock(new Date(2026, 10, 23, 7, 3, 9), now), "07:03:09");
  assert.equal(clock(new Date(2026, 10, 22, 14, 3, 9), now), "22 Nov 14:03");
  assert.equal(clock(new Date(2025, 10, 23, 14, 3, 9), now), "23 Nov 2025");
});

test("round trips below ten milliseconds keep a digit", () => {
  assert.equal(roundTrip(0.84), "0.8 ms");
  assert.equal(roundTrip(12.4), "12 ms");
});

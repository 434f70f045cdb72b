import assert from "node:assert/strict";
import { test } from "node:test";
import { forgetToken, takeToken, type Place } from "../src/token.ts";

function place(hash: string, kept?: string) {
  const memory = new Map<string, string>(kept ? [["caro.token", kept]] : []);
  const urls: string[] = [];
  const p: Place = {
    location: { hash, pathname: "/", search: "" },
    history: { replaceState: (_d, _u, url) => void urls.push(url) },
    storage: {
      getItem: (k) => memory.get(k) ?? null,
      setItem: (k, v) => void memory.set(k, v),
      removeItem: (k) => void memory.delete(k),
    },
  };
  return { p, memory, urls };
}

test("the token moves from the address bar into the tab's memory", () => {
  const { p, memory, urls } = place("#token=abc-DEF_123");
  assert.equal(takeToken(p), "abc-DEF_123");
  assert.equal(memory.get("caro.token"), "abc-DEF_123");
  assert.deepEqual(urls, ["/"]);
});

test("without one in the address bar the kept one is used, and the address is left alone", () => {
  const { p, urls } = place("", "kept");
  assert.equal(takeToken(p), "kept");
  assert.deepEqual(urls, []);
});

test("a fresh token replaces a kept one", () => {
  assert.equal(takeToken(place("#token=new", "old").p), "new");
});

test("what is not a token is not kept, and leaves the address bar too", () => {
  for (const hash of ["#token=", "#token=a%20b", "#token=%0d%0aX: y", "#token=" + "a".repeat(257)]) {
    const { p, memory, urls } = place(hash);
    assert.equal(takeToken(p), "");
    assert.equal(memory.size, 0);
    assert.deepEqual(urls, ["/"]);
  }
});

test("a browser that stores nothing still lets one in", () => {
  const { p } = place("#token=abc");
  const refuse = () => {
    throw new DOMException("denied", "SecurityError");
  };
  assert.equal(takeToken({ ...p, storage: { getItem: refuse, setItem: refuse, removeItem: refuse } }), "abc");
  assert.equal(takeToken({ ...p, storage: null }), "abc");
  assert.doesNotThrow(() => forgetToken({ getItem: refuse, setItem: refuse, removeItem: refuse }));
});

test("a refused token is forgotten", () => {
  const { p, memory } = place("", "kept");
  forgetToken(p.storage);
  assert.equal(memory.size, 0);
});

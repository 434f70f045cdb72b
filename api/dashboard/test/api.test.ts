import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure, newGet, newPut } from "../src/api.ts";

const forever = new AbortController().signal;

function answering(status: number, body: string): { fetcher: typeof fetch; calls: [string, RequestInit][] } {
  const calls: [string, RequestInit][] = [];
  const fetcher = async (url: unknown, init?: RequestInit) => {
    calls.push([String(url), init ?? {}]);
    return new Response(body, { status });
  };
  return { fetcher: fetcher as typeof fetch, calls };
}

async function failure(p: Promise<unknown>): Promise<Failure> {
  const cause: unknown = await p.then(
    () => assert.fail("the call succeeded"),
    (e: unknown) => e,
  );
  assert.ok(cause instanceof Failure, String(cause));
  return cause;
}

test("calls go to the own origin, with the token in a header and no cookies", async () => {
  const { fetcher, calls } = answering(200, '{"events":[]}');
  assert.deepEqual(await newGet(fetcher, () => "secret")("events?limit=5", forever), { events: [] });
  const [url, init] = calls[0] ?? assert.fail("no call");
  assert.equal(url, "/api/v1/events?limit=5");
  assert.equal((init.headers as Record<string, string>)["Authorization"], "Bearer secret");
  assert.equal(init.credentials, "omit");
  assert.equal(init.redirect, "error");
});

test("a change is sent once, as JSON, to the own origin, with the token in a header", async () => {
  const { fetcher, calls } = answering(200, '{"trust":"peer"}');
  assert.deepEqual(await newPut(fetcher, () => "secret")("trust", { node_id: "n", trust: "peer" }, forever), { trust: "peer" });
  assert.equal(calls.length, 1);
  const [url, init] = calls[0] ?? assert.fail("no call");
  assert.deepEqual([url, init.method, init.body], ["/api/v1/trust", "PUT", '{"node_id":"n","trust":"peer"}']);
  const headers = init.headers as Record<string, string>;
  assert.deepEqual([headers["Authorization"], headers["Content-Type"]], ["Bearer secret", "application/json"]);
  assert.equal(init.credentials, "omit");
  const refused = await failure(newPut(answering(400, '{"detail":"this is the node itself"}').fetcher, () => "x")("trust", {}, forever));
  assert.deepEqual([refused.kind, refused.message], ["refused", "this is the node itself"]);
});

test("a refused token, a problem, and a stranger's answer are told apart", async () => {
  assert.equal((await failure(newGet(answering(401, "{}").fetcher, () => "x")("status", forever))).kind, "token");
  const refused = await failure(newGet(answering(503, '{"title":"Service Unavailable","detail":"the node is starting"}').fetcher, () => "x")("status", forever));
  assert.deepEqual([refused.kind, refused.message], ["refused", "the node is starting"]);
  assert.equal((await failure(newGet(answering(500, "null").fetcher, () => "x")("status", forever))).message, "the node answered with 500");
  assert.equal((await failure(newGet(answering(200, "<html>").fetcher, () => "x")("status", forever))).kind, "unreachable");
});

test("nobody there and nobody answering are unreachable", async () => {
  const absent = (async () => {
    throw new TypeError("Failed to fetch");
  }) as typeof fetch;
  assert.equal((await failure(newGet(absent, () => "x")("status", forever))).message, "the node is not reachable");
  const silent = ((_: unknown, init?: RequestInit) =>
    new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError"))))) as typeof fetch;
  assert.equal((await failure(newGet(silent, () => "x", 1)("status", forever))).message, "the node does not answer");
});

test("a call that was given up rejects with the reason, not with a failure", async () => {
  const stop = new AbortController();
  const silent = ((_: unknown, init?: RequestInit) =>
    new Promise((_resolve, reject) => init?.signal?.addEventListener("abort", () => reject(new DOMException("", "AbortError"))))) as typeof fetch;
  const call = newGet(silent, () => "x")("status", stop.signal);
  stop.abort("another search");
  await assert.rejects(call, (e) => e === "another search");
  await assert.rejects(newGet(silent, () => "x")("status", stop.signal), (e) => e === "another search");
});

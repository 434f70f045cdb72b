import assert from "node:assert/strict";
import { test } from "node:test";
import { Poll, type Clock } from "../src/poll.ts";

/** Bench turns time by hand and lets each refresh end when the test says so. */
class Bench implements Clock {
  timers = new Map<number, { f: () => void; ms: number }>();
  signals: AbortSignal[] = [];
  #next = 1;
  #ends: { resolve: () => void; reject: (e: unknown) => void }[] = [];

  readonly poll = new Poll({
    work: (signal) => {
      this.signals.push(signal);
      return new Promise((resolve, reject) => this.#ends.push({ resolve, reject }));
    },
    intervalMS: 3000,
    maxMS: 15_000,
    clock: this,
  });

  set(f: () => void, ms: number): number {
    this.timers.set(this.#next, { f, ms });
    return this.#next++;
  }
  clear(id: number): void {
    this.timers.delete(id);
  }
  get pauses(): number[] {
    return [...this.timers.values()].map((t) => t.ms);
  }
  ring(): void {
    const [id, t] = [...this.timers][0] ?? assert.fail("no timer");
    this.timers.delete(id);
    t.f();
  }
  async end(error?: unknown): Promise<void> {
    const e = this.#ends.shift() ?? assert.fail("no refresh is under way");
    if (error === undefined) e.resolve();
    else e.reject(error);
    await new Promise((r) => setImmediate(r));
  }
}

test("a refresh starts at once, and the next one a pause after it has ended", async () => {
  const b = new Bench();
  b.poll.start();
  assert.equal(b.signals.length, 1);
  assert.deepEqual(b.pauses, []);
  await b.end();
  assert.deepEqual(b.pauses, [3000]);
  b.ring();
  assert.equal(b.signals.length, 2);
});

test("only one refresh runs at a time, and one more follows when it was asked for meanwhile", async () => {
  const b = new Bench();
  b.poll.start();
  b.poll.now();
  b.poll.now();
  assert.equal(b.signals.length, 1);
  await b.end();
  assert.equal(b.signals.length, 2);
  await b.end();
  assert.equal(b.signals.length, 2);
  assert.deepEqual(b.pauses, [3000]);
});

test("pauses grow while it fails, up to a limit, and shrink when it works again", async () => {
  const b = new Bench();
  b.poll.start();
  const seen: number[] = [];
  for (let i = 0; i < 6; i++) {
    await b.end(new Error("down"));
    seen.push(...b.pauses);
    b.ring();
  }
  assert.deepEqual(seen, [1000, 2000, 4000, 8000, 15_000, 15_000]);
  await b.end();
  assert.deepEqual(b.pauses, [3000]);
});

test("a stopped poll gives up its refresh and rings no more", async () => {
  const b = new Bench();
  b.poll.start();
  b.poll.now();
  b.poll.stop();
  assert.equal(b.signals[0]?.aborted, true);
  await b.end(new Error("aborted"));
  assert.deepEqual(b.pauses, []);
  b.poll.now();
  assert.equal(b.signals.length, 1);
});

test("started anew, it refreshes at once and counts the aborted one as no failure", async () => {
  const b = new Bench();
  b.poll.start();
  await b.end();
  b.poll.stop();
  assert.deepEqual(b.pauses, []);
  b.poll.start();
  b.poll.stop();
  b.poll.start();
  assert.equal(b.signals.length, 3);
  await b.end(new Error("aborted"));
  assert.deepEqual(b.pauses, []);
  await b.end();
  assert.deepEqual(b.pauses, [3000]);
});

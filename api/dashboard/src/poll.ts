// Refreshes at intervals: only while somebody looks, one refresh at a time, and more slowly while it fails.

/** Clock lets tests turn time by hand. */
export interface Clock {
  set(f: () => void, ms: number): number;
  clear(id: number): void;
}

export interface PollOptions {
  /** work refreshes once. It rejects to be tried again later. */
  work: (signal: AbortSignal) => Promise<void>;
  intervalMS: number;
  /** maxMS is the longest pause between tries while work fails. */
  maxMS: number;
  clock: Clock;
}

export class Poll {
  #failures = 0;
  #timer: number | undefined;
  #running: AbortController | undefined;
  #again = false;
  #stopped = true;

  constructor(private readonly o: PollOptions) {}

  /** start begins or goes on, with a refresh at once. */
  start(): void {
    this.#stopped = false;
    this.now();
  }

  /** stop pauses, and gives up a refresh under way. */
  stop(): void {
    this.#stopped = true;
    this.#again = false;
    this.#clear();
    this.#running?.abort();
    this.#running = undefined;
  }

  /** now refreshes without waiting. While a refresh is under way, one more follows it. */
  now(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#clear();
    void this.#run();
  }

  /** pauseMS is how long the next pause is. */
  get pauseMS(): number {
    if (this.#failures === 0) return this.o.intervalMS;
    return Math.min(this.o.maxMS, 1000 * 2 ** Math.min(this.#failures - 1, 20));
  }

  async #run(): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    try {
      await this.o.work(running.signal);
      this.#failures = 0;
    } catch {
      if (!running.signal.aborted) this.#failures++;
    }
    if (this.#running !== running) return; // stopped, and perhaps started anew, in the meantime
    this.#running = undefined;
    if (this.#again) {
      this.#again = false;
      this.now();
      return;
    }
    this.#timer = this.o.clock.set(() => this.now(), this.pauseMS);
  }

  #clear(): void {
    if (this.#timer !== undefined) this.o.clock.clear(this.#timer);
    this.#timer = undefined;
  }
}

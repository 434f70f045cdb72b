// The page: wires address bar, refreshes, search and views together.
import { Failure, newGet, newPut } from "./api.ts";
import { need, setText } from "./dom.ts";
import { ago, clock, span } from "./format.ts";
import { appendPage, everything, eventsPath, mergeHead, noCommands, type Commands, type Filter } from "./list.ts";
import { Poll } from "./poll.ts";
import { visible } from "./text.ts";
import { forgetToken, takeToken } from "./token.ts";
import type { EventPage, PeerPage, Preview, Risk, Status } from "./types.ts";
import { announce, showCommands } from "./view-commands.ts";
import { showPeers } from "./view-peers.ts";
import { showStatus } from "./view-status.ts";
import { showToday } from "./view-today.ts";
import { closeDecide, newDecide } from "./view-trust.ts";

const intervalMS = 3000;
const pageSize = window.matchMedia("(max-width: 900px)").matches ? 15 : 50; // where peers stand below the list
const previewMS = 60_000;
const saidMS = 30_000;

const storage = (() => {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
})();

let token = "";
let filter: Filter = { ...everything };
let commands: Commands = noCommands;
let shown = ""; // the filter and the state of the store that commands belong to
let previewAt = -Infinity;
let refreshed: Date | null = null;
let search: AbortController | null = null;

const get = newGet(window.fetch.bind(window), () => token);

const decide = newDecide({ put: newPut(window.fetch.bind(window), () => token), done: decided, refused: fail });

const poll = new Poll({
  work: refresh,
  intervalMS,
  maxMS: 15_000,
  clock: { set: (f, ms) => window.setTimeout(f, ms), clear: (id) => window.clearTimeout(id) },
});

async function refresh(signal: AbortSignal): Promise<void> {
  try {
    // On the first visit everything is asked for at once; later the commands only when there are new ones.
    const early = shown === "" ? quietly(loadHead(signal, "")) : null;
    const today = quietly(loadToday(signal));
    const [status, peers] = await Promise.all([get<Status>("status", signal), get<PeerPage>("peers", signal)]);
    const now = new Date();
    showStatus(status, now);
    showPeers(peers.peers, now, decide);
    const state = `${status.events} ${status.spool.last_event_at ?? ""}`;
    await (early ?? (shown === mark(state) ? null : loadHead(signal, state)));
    await today;
    refreshed = now;
    showNotice(status.health === "ok" ? null : "alert", "", status.health_reasons.map(visible).join(" "));
    setState("live");
  } catch (cause) {
    if (!signal.aborted) fail(cause);
    throw cause;
  }
}

/** quietly marks a promise as awaited later, so that an early failure is not reported as nobody's. */
function quietly<T>(p: Promise<T>): Promise<T> {
  p.catch(() => undefined);
  return p;
}

/** mark names what a list of commands was made from. */
function mark(state: string): string {
  return JSON.stringify([filter, state]);
}

async function loadHead(signal: AbortSignal, state: string): Promise<void> {
  const asked = filter;
  const head = await get<EventPage>(eventsPath(asked, pageSize), signal);
  if (asked !== filter) return; // a search was started meanwhile; its answer counts
  commands = mergeHead(commands, head);
  shown = mark(state);
  showCommands(commands, filter, new Date());
}

async function loadToday(signal: AbortSignal): Promise<void> {
  if (performance.now() - previewAt < previewMS) return;
  try {
    showToday(await get<Preview>("summaries/preview?granularity=daily", signal));
  } catch (cause) {
    // The card is an extra: without it the rest is still worth seeing.
    if (!(cause instanceof Failure) || cause.kind !== "refused") throw cause;
    showToday(null);
  }
  previewAt = performance.now();
}

/** change applies a new filter at once. */
function change(next: Filter): void {
  filter = next;
  commands = noCommands;
  search?.abort();
  const mine = new AbortController();
  search = mine;
  need("list").setAttribute("aria-busy", "true");
  get<EventPage>(eventsPath(next, pageSize), mine.signal)
    .then((page) => {
      commands = mergeHead(commands, page);
      shown = "searched"; // the next refresh compares with the store
      showCommands(commands, filter, new Date());
      announce(commands, filter);
    })
    .catch((cause: unknown) => {
      if (!mine.signal.aborted) fail(cause);
    })
    .finally(() => {
      if (search === mine) need("list").removeAttribute("aria-busy");
    });
}

async function older(): Promise<void> {
  const button = need<HTMLButtonElement>("older");
  const asked = filter;
  button.disabled = true;
  try {
    const page = await get<EventPage>(eventsPath(asked, pageSize, commands.cursor), new AbortController().signal);
    if (asked !== filter) return;
    const first = commands.events.length;
    commands = appendPage(commands, page);
    showCommands(commands, filter, new Date());
    if (button.hidden) need("list").querySelectorAll("summary")[first]?.focus(); // the focus must not vanish with it
  } catch (cause) {
    fail(cause);
  } finally {
    button.disabled = false;
  }
}

let saying = 0;

/** decided says what a decision about a node has led to, and shows it at once. */
function decided(sentence: string): void {
  setText(need("peers-said"), sentence);
  window.clearTimeout(saying);
  saying = window.setTimeout(() => setText(need("peers-said"), ""), saidMS);
  need("peers-card").focus(); // the button that had it goes away
  previewAt = -Infinity; // who gets the summaries may have changed
  poll.now();
}

type State = "loading" | "live" | "stale" | "signin";

function setState(state: State): void {
  document.body.dataset["state"] = state;
  need("signin").hidden = state !== "signin";
  need("board").hidden = state === "signin";
  const words: Record<State, string> = { loading: "Connecting", live: "Live", stale: "Not connected", signin: "Closed" };
  setText(need("live-text"), words[state]);
}

function fail(cause: unknown): void {
  if (!(cause instanceof Failure)) throw cause;
  if (cause.kind === "token") {
    forgetToken(storage);
    token = "";
    signIn("The key that this page had is no longer the node\u2019s; perhaps the node has made a new one. Run this in a terminal for a fresh one:");
    return;
  }
  const since = refreshed ? ` What you see is from ${clock(refreshed, new Date())}.` : "";
  const title = cause.kind === "refused" ? "The node could not answer." : "The node is not reachable.";
  const text = cause.kind === "refused" ? `It says: ${visible(cause.message)}.` : "Start it with \u201ccaro-node run\u201d; this page goes on by itself.";
  showNotice("failure", title, text + since);
  setState("stale");
}

function signIn(text: string): void {
  poll.stop();
  search?.abort();
  closeDecide();
  showNotice(null, "", "");
  setText(need("signin-text"), text);
  setState("signin");
  need("health").hidden = true;
}

function showNotice(kind: "alert" | "failure" | null, title: string, text: string): void {
  const notice = need("notice");
  notice.hidden = kind === null;
  if (kind) notice.dataset["kind"] = kind;
  setText(need("notice-title"), title);
  setText(need("notice-text"), text);
}

/** enter is called at the start, and when a link with a token was opened in this tab. */
function enter(): void {
  token = takeToken({ location: window.location, history: window.history, storage });
  if (!token) {
    signIn("This page shows what you typed in your shells, so it needs the key of your node. Run this in a terminal:");
    return;
  }
  if (document.body.dataset["state"] === "signin") setState("loading");
  shown = "";
  if (!document.hidden) poll.start();
}

function listen(): void {
  window.addEventListener("hashchange", enter);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) poll.stop();
    else if (token) poll.start();
  });
  window.addEventListener("online", () => poll.now());

  const box = need<HTMLInputElement>("search");
  const risk = need<HTMLSelectElement>("risk");
  const failed = need<HTMLInputElement>("failed");
  const read = () => change({ search: box.value, minRisk: risk.value as Risk, failed: failed.checked });
  let typing = 0;
  box.addEventListener("input", () => {
    window.clearTimeout(typing);
    typing = window.setTimeout(read, 150);
  });
  risk.addEventListener("change", read);
  failed.addEventListener("change", read);
  need("tools").addEventListener("submit", (e) => {
    e.preventDefault();
    window.clearTimeout(typing);
    read();
  });
  need("older").addEventListener("click", () => void older());

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || need<HTMLDialogElement>("decide").open) return;
    const inField = e.target instanceof HTMLInputElement || e.target instanceof HTMLSelectElement;
    if (e.key === "/" && !inField && !need("board").hidden) {
      e.preventDefault();
      box.focus();
      box.select();
    } else if (e.key === "Escape" && e.target === box) {
      box.value = "";
      risk.value = "safe";
      failed.checked = false;
      read();
    } else if ((e.key === "ArrowDown" || e.key === "ArrowUp") && e.target instanceof HTMLElement) {
      step(e, e.target, e.key === "ArrowDown" ? 1 : -1);
    }
  });
}

/** step moves from row to row with the arrow keys, and from the search field to the first row. */
function step(e: KeyboardEvent, from: HTMLElement, by: 1 | -1): void {
  const rows = [...need("list").querySelectorAll("summary")];
  const at = from.id === "search" ? -1 : rows.indexOf(from);
  if (at < 0 && from.id !== "search") return;
  const to = at + by < 0 ? need("search") : rows[at + by];
  if (!to || to === from) return;
  e.preventDefault();
  to.focus();
}

function tick(): void {
  const now = new Date();
  const live = need("live");
  live.title = refreshed ? `Last refreshed ${ago(refreshed, now)}; every ${span(intervalMS / 1000)} while this page is visible` : "";
}

setText(need("foot"), "Served by your own node on this machine. Nothing on this page comes from or goes to anywhere else.");
listen();
enter();
window.setInterval(tick, 5000);

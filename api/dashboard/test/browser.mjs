// Drives a real browser against the server that TestPageInABrowser has started. Every check states what it promises.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { BASE, TOKEN, BROWSER, HOSTILE_MARKUP, SHOTS } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** order changes the node behind the page. */
async function order(what) {
  console.log(`do ${what}`);
  assert.equal((await answers.next()).value, "done");
}

const browser = await chromium.launch({
  executablePath: BROWSER,
  headless: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});

/** visit opens a fresh profile, which complains of requests to elsewhere and of anything in the console. */
async function visit(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  const calls = [];
  page.on("request", (r) => {
    calls.push(r.url());
    if (!r.url().startsWith(BASE + "/")) complaints.push(`a request went to ${r.url()}`);
    if (r.url().includes(TOKEN)) complaints.push(`the token was sent in the address ${r.url()}`);
  });
  page.on("console", (m) => {
    // The browser reports refused and failed requests by itself; those are provoked here.
    if (["error", "warning"].includes(m.type()) && !/Failed to load resource/.test(m.text())) complaints.push(m.text());
  });
  page.on("pageerror", (e) => complaints.push(String(e)));
  return { context, page, calls, complaints };
}

const rows = (page) => page.locator("#list > li");
const row = (page, n) => rows(page).nth(n).locator("summary .command");

async function enter(page) {
  await page.goto(`${BASE}/#token=${TOKEN}`);
  await page.waitForSelector('body[data-state="live"]');
}

async function shot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

const checks = {
  async "without a token the page shows no data and says what to run"() {
    const { page, context, complaints, calls } = await visit();
    await page.goto(BASE);
    await page.getByRole("heading", { name: "Open this page from the command line" }).waitFor();
    assert.match(await page.locator("#signin").innerText(), /caro-node dashboard/);
    assert.equal(await page.locator("#board").isVisible(), false);
    assert.equal(calls.some((u) => u.includes("/api/")), false);
    await shot(page, "signin");
    await context.close();
    return complaints;
  },

  async "the token leaves the address bar and the history, and survives a reload"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    assert.equal(page.url(), `${BASE}/`);
    await page.goto("about:blank");
    await page.goBack();
    assert.equal(page.url(), `${BASE}/`);
    await page.reload();
    await page.waitForSelector('body[data-state="live"]');
    assert.equal(await page.evaluate(() => document.cookie + JSON.stringify(localStorage)), "{}");
    await context.close();
    return complaints;
  },

  async "status, commands, today and peers are shown"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    assert.equal(await page.title(), "anna-laptop – caro-node");
    await page.getByRole("heading", { name: "anna-laptop" }).waitFor();
    assert.equal(await page.locator("#health").innerText(), "Healthy");
    const tiles = await page.locator("#tiles").innerText();
    for (const text of ["48,213", "317 in the last 24 hours", "2 of 5", "1 waits for your decision", "2 d 5 h", "29.0 MiB", "20.6 MiB"]) {
      assert.ok(tiles.includes(text), `no ${text} in ${tiles}`);
    }
    assert.equal(await rows(page).count(), 50);
    assert.equal(await row(page, 0).innerText(), "git status");
    assert.match(await rows(page).nth(2).innerText(), /go test[\s\S]*exit 1[\s\S]*8\.4 s/);
    assert.match(await rows(page).nth(4).innerText(), /high/);
    assert.match(await rows(page).nth(6).innerText(), /stopped[\s\S]*critical/);
    assert.match(await page.locator("#today").innerText(), /317 commands[\s\S]*critical 1[\s\S]*git[\s\S]*121[\s\S]*go to bob-desktop and build-server[\s\S]*Kept out: editor/);
    assert.match(await page.locator("#peers").innerText(), /bob-desktop[\s\S]*connected[\s\S]*0\.8 ms[\s\S]*carol-laptop[\s\S]*offline[\s\S]*refuses us[\s\S]*waits for you/);
    await shot(page, "light");
    const times = await page.evaluate(() => [...performance.getEntriesByType("paint"), ...performance.getEntriesByName("commands")].map((e) => `${e.name} ${Math.round(e.startTime)} ms`));
    console.log(`     rendered: ${times.join(", ")}`);
    await context.close();
    return complaints;
  },

  async "hostile commands stay text, and what they hide is shown"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    assert.equal(await row(page, 3).innerText(), HOSTILE_MARKUP);
    await rows(page).nth(3).locator("summary").click();
    assert.equal(await rows(page).nth(3).locator(".more pre").innerText(), HOSTILE_MARKUP);
    assert.equal(await row(page, 8).innerText(), "printf 'ESC]0;ownedBEL' U+202Etxt.exe");
    assert.deepEqual(await row(page, 8).locator(".sign").allInnerTexts(), ["ESC", "BEL", "U+202E"]);
    assert.equal(await page.locator("#board img, #board script, #board iframe").count(), 0);
    assert.doesNotMatch(await page.title(), /1337/);
    await context.close();
    return complaints;
  },

  async "nothing is wider than the window, from phone to desktop, in light and dark"() {
    const all = [];
    for (const [name, width, height, colorScheme] of [
      ["phone", 360, 740, "light"],
      ["phone-dark", 390, 844, "dark"],
      ["tablet", 820, 1100, "light"],
      ["dark", 1280, 900, "dark"],
      ["wide", 1800, 1000, "light"],
    ]) {
      const { page, context, complaints } = await visit({ viewport: { width, height }, colorScheme });
      await enter(page);
      await rows(page).nth(9).locator("summary").click();
      await rows(page).nth(9).locator(".more").waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, name);
      if (width <= 900) assert.equal(await rows(page).count(), 15, "peers stay within reach below the list");
      await shot(page, name);
      all.push(...complaints);
      await context.close();
    }
    return all;
  },

  async "a person decides about a node that waits by keyboard alone, after seeing its fingerprint"() {
    const { page, context, complaints, calls } = await visit();
    await enter(page);
    const waiting = page.locator('#peers > li[data-state="pending"]');
    const text = await waiting.innerText();
    const print = /[0-9a-f]{16}/.exec(text)[0];
    assert.match(text, /\u201cBob-Desktop\u201d[\s\S]*unverified[\s\S]*\/ip4\/10\.0\.0\.23\/tcp\/9238/);
    const button = page.getByRole("button", { name: `Decide about ${print}` });
    await button.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "A node asks to connect" });
    await dialog.waitFor();
    assert.match(await dialog.innerText(), /\u201cBob-Desktop\u201d\s+unverified[\s\S]*10\.0\.0\.23[\s\S]*tried to connect[\s\S]*another node by this name/);
    assert.equal((await dialog.locator(".print").first().textContent()).trim(), print);
    assert.equal(await dialog.getByRole("radio").count(), 5);
    await shot(page, "decide");

    await page.keyboard.press("Escape"); // gives up, and leaves everything as it was
    await dialog.waitFor({ state: "hidden" });
    assert.equal(await button.evaluate((e) => e === document.activeElement), true);

    await page.keyboard.press("Enter");
    await dialog.getByRole("button", { name: "Continue" }).click(); // nothing was chosen, so nothing goes on
    assert.equal(await page.locator("#decide-confirm").isVisible(), false);
    await dialog.getByRole("radio", { name: "refuse" }).focus();
    await page.keyboard.press("Space");
    for (const _ of ["supervisor", "share_to", "query_from", "peer"]) await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Is this the fingerprint that its user sees?" }).waitFor();
    assert.equal((await page.locator("#decide-confirm .print").textContent()).trim(), print);
    assert.match(await page.locator("#decide-confirm").innerText(), /caro-node id[\s\S]*gets your summaries, and may ask/);
    await shot(page, "decide-confirm");
    assert.equal(calls.some((u) => u.endsWith("/trust")), false, "nothing was sent before the last step");

    await order("another node waits"); // what comes meanwhile is not what was decided about
    await page.waitForFunction(() => document.querySelectorAll('#peers > li[data-state="pending"]').length === 2);
    for (const _ of ["not now", "back", "yes"]) await page.keyboard.press("Tab");
    const sent = page.waitForRequest((r) => r.method() === "PUT");
    await page.keyboard.press("Enter");
    assert.deepEqual(Object.keys((await sent).postDataJSON()), ["node_id", "trust"]);
    await page.getByText(`${print} is peer now`).waitFor();
    assert.equal(await dialog.isVisible(), false);
    await page.waitForFunction(() => document.querySelectorAll('#peers > li[data-state="pending"]').length === 1);
    assert.equal(await page.evaluate(() => document.activeElement.id), "peers-card");
    assert.equal(await page.locator("#peers > li", { hasText: "Bob-Desktop" }).getByRole("button").count(), 0);
    await order("only that node was trusted");
    await context.close();
    return complaints;
  },

  async "a double click decides nothing unseen, and a decision that failed says so and can be made again"() {
    const { page, context, complaints } = await visit({ viewport: { width: 360, height: 740 } });
    await enter(page);
    await page.getByRole("button", { name: /Decide about/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("radio", { name: "refuse" }).check();
    await shot(page, "decide-phone");
    const yes = page.locator("#decide-yes");
    await dialog.getByRole("button", { name: "Continue" }).click();
    await page.getByRole("heading", { name: "Refuse this node?" }).waitFor();
    await yes.dispatchEvent("click", { detail: 2 });
    assert.equal(await yes.isVisible(), true);
    await order("lose the disk");
    await yes.click();
    await dialog.getByRole("alert").waitFor();
    assert.match(await dialog.getByRole("alert").innerText(), /did not do it[\s\S]*disk/);
    await order("find the disk");
    await yes.click();
    await page.getByText("is refused from now on").waitFor();
    await page.locator('#peers > li[data-state="pending"]').waitFor({ state: "detached" });
    await context.close();
    return complaints;
  },

  async "search, risk and failure narrow the list, by keyboard too"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
    await page.keyboard.type("docker");
    await page.waitForFunction(() => document.querySelectorAll("#list > li").length === 6);
    assert.match(await row(page, 0).innerText(), /docker/);
    assert.equal(await page.locator("#found").innerText(), "6 commands found");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    assert.equal(await rows(page).nth(1).locator("details").getAttribute("open"), "");
    assert.match(await rows(page).nth(1).locator(".more").innerText(), /Folder[\s\S]*\/home\/anna\/src\/shop/);
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowUp");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.querySelectorAll("#list > li").length === 50);
    await page.getByLabel("Risk").selectOption("high");
    await page.waitForFunction(() => [...document.querySelectorAll("#list > li")].every((li) => /risk-(high|critical)/.test(li.className)));
    await page.getByLabel("Failed").check();
    await page.waitForFunction(() => [...document.querySelectorAll("#list .command")].every((c) => c.textContent.includes("chmod")));
    await page.getByLabel("Search commands").fill("no command is like this");
    await page.getByText("No command matches.").waitFor();
    await context.close();
    return complaints;
  },

  async "older commands are added, and stay when new ones arrive"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    await page.getByRole("button", { name: "Show older commands" }).click();
    await page.waitForFunction(() => document.querySelectorAll("#list > li").length === 90);
    assert.equal(await page.getByRole("button", { name: "Show older commands" }).isVisible(), false);
    await context.close();
    return complaints;
  },

  async "new commands appear by themselves without disturbing what is being read"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    const first = rows(page).nth(0);
    await first.locator("summary").focus();
    await page.keyboard.press("Enter");
    await first.locator(".more pre").waitFor();
    await page.evaluate(() => {
      document.querySelector("#list > li").dataset.mark = "the same element";
      getSelection().selectAllChildren(document.querySelector("#list .more pre"));
    });
    await order("add a command");
    await page.waitForFunction(() => /fresh command/.test(document.querySelector("#list .command").textContent));
    const second = rows(page).nth(1);
    assert.equal(await second.getAttribute("data-mark"), "the same element");
    assert.equal(await second.locator("details").getAttribute("open"), "");
    assert.equal(await page.evaluate(() => getSelection().toString()), "git status");
    assert.equal(await second.locator("summary").evaluate((e) => e === document.activeElement), true);
    assert.equal(await rows(page).count(), 50);
    await order("add sixty commands");
    await page.waitForFunction(() => /one of many/.test(document.querySelector("#list .command").textContent));
    assert.equal(await rows(page).count(), 50);
    await context.close();
    return complaints;
  },

  async "a hidden page asks nothing, and a page that is looked at again asks at once"() {
    const { page, context, complaints, calls } = await visit();
    await page.clock.install();
    await enter(page);
    const show = (hidden) =>
      page.evaluate((h) => {
        Object.defineProperty(document, "hidden", { value: h, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await show(true);
    const before = calls.length;
    await page.clock.runFor(120_000);
    assert.equal(calls.length, before);
    const asked = page.waitForRequest(/\/status$/);
    await show(false);
    await asked;
    await page.waitForSelector('body[data-state="live"]');
    await context.close();
    return complaints;
  },

  async "trouble of the node is said in its words"() {
    const { page, context, complaints } = await visit();
    await order("degrade");
    await enter(page);
    assert.equal(await page.locator("#health").innerText(), "Needs a look");
    assert.equal(await page.locator("#notice").innerText(), "The disk is nearly full: 80 MiB are left.");
    await order("recover");
    await page.locator("#notice").waitFor({ state: "hidden" });
    await context.close();
    return complaints;
  },

  async "a stopped node is noticed, its last data stay, and the page goes on by itself"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    await order("stop");
    await page.waitForSelector('body[data-state="stale"]');
    assert.equal(await page.locator("#health").isVisible(), false, "nobody knows how a stopped node is");
    assert.match(await page.locator("#notice").innerText(), /not reachable[\s\S]*caro-node run[\s\S]*What you see is from/);
    assert.equal(await rows(page).count(), 50);
    await shot(page, "stopped");
    await order("start");
    await page.waitForSelector('body[data-state="live"]');
    assert.equal(await page.locator("#notice").isVisible(), false);
    assert.equal(await page.locator("#health").isVisible(), true);
    await context.close();
    return complaints;
  },

  async "an empty node says what to do"() {
    const { page, context, complaints } = await visit();
    await order("forget everything");
    await enter(page);
    await page.getByText("No commands yet.").waitFor();
    assert.match(await page.locator("#empty").innerText(), /caro-node shell init bash/);
    assert.match(await page.locator("#no-peers").innerText(), /caro-node peers add/);
    await shot(page, "empty");
    await context.close();
    return complaints;
  },

  async "a token that is no longer good leads back to the command line"() {
    const { page, context, complaints } = await visit();
    await enter(page);
    await order("another node waits");
    await page.getByRole("button", { name: /Decide about/ }).click(); // an open dialog must not cover what is said
    await order("stop");
    await order("start with another token");
    await page.getByText("no longer the node’s").waitFor();
    assert.equal(await page.locator("#board").isVisible(), false);
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    await context.close();
    return complaints;
  },
};

let failures = 0;
for (const [promise, check] of Object.entries(checks)) {
  const start = performance.now();
  try {
    assert.deepEqual(await check(), [], "the browser complained");
    console.log(`ok   ${promise} (${Math.round(performance.now() - start)} ms)`);
  } catch (e) {
    failures++;
    console.log(`FAIL ${promise}\n${e.stack}`);
  }
}
await browser.close();
process.exit(failures > 0 ? 1 : 0);

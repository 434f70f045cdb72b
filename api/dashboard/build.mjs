// Builds the page into dist/, or with --tests the unit tests into node_modules/.cache/tests/.
import { build } from "esbuild";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

const here = import.meta.dirname;
const target = ["chrome109", "firefox115", "safari16.4"];

// What a first visit transfers, compressed.
const limit = 80 * 1024;

if (process.argv.includes("--tests")) {
  const out = join(here, "node_modules/.cache/tests");
  await rm(out, { recursive: true, force: true });
  const tests = (await readdir(join(here, "test"))).filter((f) => f.endsWith(".test.ts"));
  await build({
    entryPoints: tests.map((f) => join(here, "test", f)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    sourcemap: "inline",
    logLevel: "warning",
  });
} else {
  const dist = join(here, "dist");
  const assets = join(dist, "assets");
  await rm(assets, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  await build({
    entryPoints: { app: join(here, "src/main.ts"), style: join(here, "src/style.css") },
    outdir: assets,
    bundle: true,
    minify: true,
    format: "esm",
    target,
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  await cp(join(here, "src/index.html"), join(dist, "index.html"));
  await cp(join(here, "src/icon.svg"), join(assets, "icon.svg"));

  let total = 0;
  for (const file of [join(dist, "index.html"), ...(await readdir(assets)).map((f) => join(assets, f))]) {
    const packed = gzipSync(await readFile(file), { level: 9 });
    await writeFile(file + ".gz", packed);
    total += packed.length;
    console.log(`${basename(file).padEnd(12)} ${String(packed.length).padStart(6)} bytes compressed`);
  }
  console.log(`${"total".padEnd(12)} ${String(total).padStart(6)} bytes compressed (limit ${limit})`);
  if (total > limit) {
    console.error("the page is larger than its limit");
    process.exit(1);
  }
}

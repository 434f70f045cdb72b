import assert from "node:assert/strict";
import { test } from "node:test";
import { oneLine, pieces, visible, whole } from "../src/text.ts";

test("ordinary text of any script stays as it is", () => {
  for (const s of ["git commit -m 'Größe'", "echo 日本語 🎉 é", "a\tb\nc", "<b>&amp;</b>", "مرحبا"]) {
    assert.equal(visible(s), s);
  }
});

test("characters that hide or reorder text are named", () => {
  assert.equal(visible("\u001b]0;owned\u0007"), "⟨ESC⟩]0;owned⟨BEL⟩");
  assert.equal(visible("a\rb\u007f\u0000"), "a⟨CR⟩b⟨DEL⟩⟨NUL⟩");
  assert.equal(visible("\u202etxt.exe"), "⟨U+202E⟩txt.exe");
  assert.equal(visible("a\u200bb\u2066c\u2069"), "a⟨U+200B⟩b⟨U+2066⟩c⟨U+2069⟩");
  assert.equal(visible("\u0085\u2028\ufeff\u00ad"), "⟨U+0085⟩⟨U+2028⟩⟨U+FEFF⟩⟨U+00AD⟩");
  assert.equal(visible("x\u{e0041}"), "x⟨U+E0041⟩");
  assert.equal(visible("a\ud800b"), "a⟨U+D800⟩b");
});

test("pieces tell a hidden character from text that only looks like its name", () => {
  assert.deepEqual(pieces("a⟨ESC⟩\u001bb"), [
    { text: "a⟨ESC⟩", hidden: false },
    { text: "ESC", hidden: true },
    { text: "b", hidden: false },
  ]);
  assert.deepEqual(pieces(""), []);
});

test("a row is one line, and marks what was cut", () => {
  assert.equal(oneLine("for f in *; do\n  ls\t$f\ndone"), "for f in *; do ⏎ ls $f ⏎ done");
  assert.equal(oneLine("abcdef", 3), "abc…");
  assert.equal(oneLine("abc", 3), "abc");
  assert.equal(oneLine("ab🎉cd", 3), "ab…");
  assert.equal(oneLine("x".repeat(1 << 20)).length, 401);
});

test("a huge command is cut with a count of the rest", () => {
  assert.equal(whole("abc\ndef"), "abc\ndef");
  assert.equal(whole("abcdef", 4), "abcd\n… and 2 more characters");
});

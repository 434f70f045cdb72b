// Makes text from commands safe to look at. Markup is harmless already, because the page only ever sets text; what is left
// are characters that hide or reorder what a person reads.

// Controls except tab and line feed; directional marks and overrides; spaces and joins without width; separators; the
// tag characters, which are invisible copies of ASCII.
const hidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|[\ud800-\udfff]/gu;

/** visible replaces every hidden character by a sign that can be seen. Joiners inside words and emoji are among them: in
 * a command it is better to see one too many. */
export function visible(text: string): string {
  return text.replace(hidden, (c) => {
    const code = c.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

/** oneLine puts a command on one line of at most limit characters. */
export function oneLine(text: string, limit = 400): string {
  const cut = text.slice(0, limit + 1);
  const line = visible(cut).replace(/\s*\n\s*/g, " \u23ce ").replace(/\t/g, " ");
  return text.length > limit ? [...line].slice(0, limit).join("") + "\u2026" : line;
}

/** whole returns a command as it was typed, cut only where it would choke the page. */
export function whole(text: string, limit = 20_000): string {
  if (text.length <= limit) return visible(text);
  const rest = text.length - limit;
  return `${visible(text.slice(0, limit))}\n\u2026 and ${rest} more characters`;
}

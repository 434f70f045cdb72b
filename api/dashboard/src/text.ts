// Makes text from commands safe to look at. Markup is harmless already, because the page only ever sets text; what is left
// are characters that hide or reorder what a person reads.

// Controls except tab and line feed; directional marks and overrides; spaces and joins without width; separators; the
// tag characters, which are invisible copies of ASCII.
const hidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|[\ud800-\udfff]/gu;

const names =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS TAB LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");

/** Piece is a stretch of a text: as it is, or the name of a hidden character that stands there. */
export interface Piece {
  text: string;
  hidden: boolean;
}

/** pieces takes a text apart at its hidden characters. Joiners inside words and emoji are among them: in a command it is
 * better to see one too many. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  let end = 0;
  for (const m of text.matchAll(hidden)) {
    if (m.index > end) out.push({ text: text.slice(end, m.index), hidden: false });
    out.push({ text: nameOf(m[0]), hidden: true });
    end = m.index + m[0].length;
  }
  if (end < text.length) out.push({ text: text.slice(end), hidden: false });
  return out;
}

function nameOf(c: string): string {
  const code = c.codePointAt(0) ?? 0;
  if (code === 0x7f) return "DEL";
  return names[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** visible replaces every hidden character by its name in brackets. */
export function visible(text: string): string {
  return pieces(text)
    .map((p) => (p.hidden ? `\u27e8${p.text}\u27e9` : p.text))
    .join("");
}

/** oneLine puts a command on one line of about limit characters. */
export function oneLine(text: string, limit = 400): string {
  // A cut must not go through a character of two units, which would leave half of it behind.
  const cut = text.length > limit ? text.slice(0, limit).replace(/[\ud800-\udbff]$/, "") + "\u2026" : text;
  return cut.replace(/\s*\n\s*/g, " \u23ce ").replace(/\t/g, " ");
}

/** whole returns a command as it was typed, cut only where it would choke the page. */
export function whole(text: string, limit = 20_000): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit).replace(/[\ud800-\udbff]$/, "")}\n\u2026 and ${text.length - limit} more characters`;
}

// Turns numbers and times into words. Everything here is pure.

const grouped = new Intl.NumberFormat("en");

/** count writes a whole number with separators: 48,213. */
export function count(n: number): string {
  return grouped.format(n);
}

/** counted writes a number with its noun: 1 command, 2 commands. */
export function counted(n: number, one: string, many: string): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** bytes writes a size with three digits at most before the unit: 29.0 MiB. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return `${i > 0 && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

/** span writes a length of time in seconds with its two largest units: 2 d 5 h. */
export function span(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(s / 86400), "d"],
    [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"],
    [s % 60, "s"],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(" ");
}

/** duration writes how long a command ran: 21 ms, 8.4 s, 6 min 43 s. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  return span(Math.round(ms / 1000));
}

/** ago writes how long ago a moment was, roughly. A moment in the future, by a clock that was set, is "now". */
export function ago(then: Date, now: Date): string {
  const s = Math.floor((now.getTime() - then.getTime()) / 1000);
  if (s < 5) return "now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86400)} days ago`;
}

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n: number) => String(n).padStart(2, "0");

/** clock writes a moment in local time as short as it stays clear: 12:30:06 today, 22 Nov 14:03, 22 Nov 2025. */
export function clock(then: Date, now: Date): string {
  if (then.toDateString() === now.toDateString()) {
    return `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`;
  }
  const day = `${then.getDate()} ${months[then.getMonth()]}`;
  if (then.getFullYear() !== now.getFullYear()) return `${day} ${then.getFullYear()}`;
  return `${day} ${two(then.getHours())}:${two(then.getMinutes())}`;
}

/** moment writes a moment in full, in local time. */
export function moment(then: Date): string {
  return (
    `${then.getDate()} ${months[then.getMonth()]} ${then.getFullYear()}, ` +
    `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`
  );
}

/** roundTrip writes a round trip in milliseconds: 0.8 ms, 12 ms. */
export function roundTrip(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

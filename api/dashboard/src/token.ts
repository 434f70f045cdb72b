// The way in: "caro-node dashboard" opens the page with the node's token behind the number sign, which browsers keep to
// themselves. The token moves from the address bar into this tab's memory, so that it is in no history and no bookmark.

const key = "caro.token";

/** Place is what the token is taken from and kept in; the browser's objects fit. */
export interface Place {
  location: { hash: string; pathname: string; search: string };
  history: { replaceState(data: unknown, unused: string, url: string): void };
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> | null;
}

/** takeToken returns the token of the address bar, which it clears, or the one kept before, or "". */
export function takeToken(p: Place): string {
  const fresh = new URLSearchParams(p.location.hash.replace(/^#/, "")).get("token") ?? "";
  if (p.location.hash.includes("token=")) {
    p.history.replaceState(null, "", p.location.pathname + p.location.search);
  }
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(fresh)) {
    return attempt(() => p.storage?.getItem(key)) ?? "";
  }
  attempt(() => p.storage?.setItem(key, fresh));
  return fresh;
}

/** forgetToken is called when the node refused the token. */
export function forgetToken(storage: Place["storage"]): void {
  attempt(() => storage?.removeItem(key));
}

// Browsers that store nothing throw; the token then lives as long as the page.
function attempt<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch {
    return undefined;
  }
}

// Asks the node, and says in one of four ways why there is no answer.
import type { Problem } from "./types.ts";

/** Failure is why a call has no answer: nobody there, no or a wrong token, or a refusal with its sentence. */
export class Failure extends Error {
  constructor(
    readonly kind: "unreachable" | "token" | "refused",
    message: string,
  ) {
    super(message);
  }
}

export type Get = <T>(path: string, signal: AbortSignal) => Promise<T>;
export type Put = <T>(path: string, body: unknown, signal: AbortSignal) => Promise<T>;

/** newGet returns a function that fetches JSON documents below /api/v1/. A call that was aborted by its signal rejects
 * with the signal's reason, every other failure is a Failure. */
export function newGet(fetcher: typeof fetch, token: () => string, timeoutMS = 10_000): Get {
  const call = newCall(fetcher, token, timeoutMS);
  return <T>(path: string, signal: AbortSignal) => call<T>(path, signal, {});
}

/** newPut returns a function that sends a JSON document below /api/v1/ and returns the answer. It fails as newGet's does;
 * of a call that was not answered nobody knows whether it was carried out. */
export function newPut(fetcher: typeof fetch, token: () => string, timeoutMS = 10_000): Put {
  const call = newCall(fetcher, token, timeoutMS);
  return <T>(path: string, body: unknown, signal: AbortSignal) => call<T>(path, signal, { method: "PUT", body: JSON.stringify(body) });
}

function newCall(fetcher: typeof fetch, token: () => string, timeoutMS: number) {
  return async <T>(path: string, signal: AbortSignal, what: { method?: string; body?: string }): Promise<T> => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMS);
    const stop = () => late.abort();
    signal.addEventListener("abort", stop, { once: true });
    try {
      signal.throwIfAborted();
      const response = await fetcher("/api/v1/" + path, {
        ...what,
        headers: { Authorization: "Bearer " + token(), Accept: "application/json", ...(what.body ? { "Content-Type": "application/json" } : {}) },
        signal: late.signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
      if (response.status === 401) throw new Failure("token", "the node refused the token");
      const body: unknown = await response.json();
      if (!response.ok) throw new Failure("refused", sentence(body) || `the node answered with ${response.status}`);
      return body as T;
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      if (cause instanceof Failure) throw cause;
      throw new Failure("unreachable", late.signal.aborted ? "the node does not answer" : "the node is not reachable");
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  };
}

function sentence(body: unknown): string {
  const p = (typeof body === "object" && body !== null ? body : {}) as Problem;
  return p.detail ?? p.title ?? "";
}

// The dialog in which a person decides about a node that waits: first what it may get, then whether it is the right one.
import { Failure, type Put } from "./api.ts";
import { el, need, setText } from "./dom.ts";
import { visible } from "./text.ts";
import { choices, claim, groups, namesake, outcome, type Choice } from "./trust.ts";
import type { Grant, Peer } from "./types.ts";

export interface DecideOptions {
  put: Put;
  /** done is called with a sentence after a decision was carried out. */
  done: (sentence: string) => void;
  /** refused is called when the node does not accept the page's token; the dialog is closed then. */
  refused: (cause: Failure) => void;
}

let open: AbortController | null = null; // of the node that is decided about; null while the dialog is closed

/** newDecide readies the dialog, and returns what opens it. What it decides about is what it shows: a list that is refreshed
 * beneath it changes neither. */
export function newDecide(o: DecideOptions): (p: Peer, all: readonly Peer[]) => void {
  const dialog = need<HTMLDialogElement>("decide");
  let peer: Peer | null = null;

  const chosen = (): Choice | undefined => {
    const input = dialog.querySelector<HTMLInputElement>("input[name=trust]:checked");
    return choices.find((c) => c.value === input?.value);
  };
  const turn = (confirm: boolean) => {
    need("decide-choose").hidden = confirm;
    need("decide-confirm").hidden = !confirm;
    say("");
  };

  need("decide-levels").append(
    ...choices.map((c) => {
      const input = el("input", { "aria-describedby": `level-${c.value}` });
      Object.assign(input, { type: "radio", name: "trust", value: c.value, required: true });
      const meaning = el("span", { class: "quiet" }, c.meaning);
      meaning.id = `level-${c.value}`;
      return el("label", { class: "level" }, input, el("span", {}, el("b", {}, c.name), meaning));
    }),
  );

  need("decide-choose").addEventListener("submit", (e) => {
    e.preventDefault();
    const c = chosen();
    if (!c || !peer) return;
    const refuse = c.value === "deny";
    setText(need("decide-question"), refuse ? "Refuse this node?" : "Is this the fingerprint that its user sees?");
    setText(
      need("decide-how"),
      refuse
        ? "Nodes are told apart by their keys. The same person may come again with another key."
        : "\u201ccaro-node id\u201d prints it on its machine. Ask by another way than this network, such as a call: the name proves nothing.",
    );
    setText(need("decide-meaning"), `${c.name}: ${c.meaning}`);
    setText(need("decide-yes"), refuse ? "Refuse it" : `It is the same: make it ${c.name}`);
    turn(true);
    need("decide-question").focus();
  });
  need("decide-back").addEventListener("click", () => {
    turn(false);
    dialog.querySelector<HTMLInputElement>("input[name=trust]:checked")?.focus();
  });
  need("decide-confirm").addEventListener("submit", (e) => {
    e.preventDefault();
    void carryOut();
  });
  // The second click of a double click would fall on what the first one has brought up, and decide unseen.
  need("decide-yes").addEventListener("click", (e) => {
    if (e.detail > 1) e.preventDefault();
  });
  for (const b of dialog.querySelectorAll(".cancel")) b.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    open?.abort();
    open = null;
    peer = null;
  });

  async function carryOut(): Promise<void> {
    const c = chosen();
    const mine = open;
    const yes = need<HTMLButtonElement>("decide-yes");
    if (!c || !peer || !mine || yes.disabled) return;
    yes.disabled = true;
    say("");
    try {
      const grant = await o.put<Grant>("trust", { node_id: peer.node_id, trust: c.value }, mine.signal);
      dialog.close();
      o.done(outcome(c, grant));
    } catch (cause) {
      if (mine.signal.aborted) return;
      if (!(cause instanceof Failure)) throw cause;
      if (cause.kind === "token") {
        dialog.close();
        o.refused(cause);
      } else if (cause.kind === "refused") {
        say(`The node did not do it. It says: ${visible(cause.message)}.`);
      } else {
        say("The node is not reachable, so nobody knows whether it was done. Doing it again does no harm.");
      }
    } finally {
      yes.disabled = false;
    }
  }

  return (p, all) => {
    peer = p;
    open = new AbortController();
    need<HTMLFormElement>("decide-choose").reset();
    setText(need("decide-name"), claim(p));
    const other = namesake(p, all);
    const warning = need("decide-namesake");
    warning.hidden = other === "";
    setText(warning, other ? `You know another node by this name: ${other}. This one has another key.` : "");
    for (const place of dialog.querySelectorAll(".print")) place.replaceChildren(...groups(p.fingerprint).map((g) => el("span", {}, g)));
    setText(need("decide-address"), p.addresses.length > 0 ? p.addresses.map(visible).join("\n") : "not known");
    setText(need("decide-known"), p.state_reason ? visible(p.state_reason) : "nothing else");
    turn(false);
    dialog.showModal();
  };
}

/** closeDecide closes the dialog, when the page has nothing more to say. */
export function closeDecide(): void {
  need<HTMLDialogElement>("decide").close();
}

function say(text: string): void {
  const e = need("decide-trouble");
  e.hidden = text === "";
  setText(e, text);
}

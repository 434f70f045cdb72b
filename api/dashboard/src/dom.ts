// Small tools for the document. Text goes in as text, always: nothing here or elsewhere sets markup.

type Child = Node | string | null | undefined | false;

export interface Attributes {
  class?: string;
  title?: string;
  [name: `aria-${string}`]: string;
  [name: `data-${string}`]: string;
  role?: string;
}

/** el makes an element with children; strings become text. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v as string);
  for (const c of children) if (c) e.append(c);
  return e;
}

/** need returns the element with this ID, which index.html promises. */
export function need<T extends HTMLElement = HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error(`the page has no #${id}`);
  return e as T;
}

/** setText changes text only where it differs, so that selections and screen readers are left alone. */
export function setText(e: Element, text: string): void {
  if (e.textContent !== text) e.textContent = text;
}

/** setAttribute changes an attribute only where it differs. */
export function setAttribute(e: Element, name: string, value: string): void {
  if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

/** replaceIfChanged rebuilds the children of e when what they show, told by mark, has changed. */
export function replaceIfChanged(e: HTMLElement, mark: string, build: () => Child[]): void {
  if (e.dataset["mark"] === mark) return;
  e.dataset["mark"] = mark;
  e.replaceChildren(...build().filter((c): c is Node | string => Boolean(c)));
}

/** reconcile makes the children of parent show items in order. Elements of items that stay are kept, with their focus,
 * selection and open details. */
export function reconcile<T>(
  parent: HTMLElement,
  items: readonly T[],
  key: (item: T) => string,
  create: (item: T) => HTMLElement,
  update: (e: HTMLElement, item: T) => void,
): void {
  const keep = new Set(items.map(key));
  const old = new Map<string, HTMLElement>();
  for (const child of [...parent.children] as HTMLElement[]) {
    const k = child.dataset["key"];
    if (k !== undefined && keep.has(k)) {
      old.set(k, child);
    } else {
      child.remove(); // first, so that those that stay need not move: moving loses the focus
    }
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    let e = old.get(k);
    if (!e) {
      e = create(item);
      e.dataset["key"] = k;
    }
    update(e, item);
    if (place === e) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(e, place);
    }
  }
}

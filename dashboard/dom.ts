/** The few doors to the document. What comes from outside is always text. */

/** Throws when the page has no such element of this kind: a fault of the page itself. */
export function find<Kind extends Element>(selector: string, kind: new () => Kind): Kind {
  const found = document.querySelector(selector)
  if (found instanceof kind) return found
  throw new Error(`The page lacks ${selector}`)
}

export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  text = '',
  className = '',
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name)
  element.textContent = text
  if (className !== '') element.className = className
  return element
}

/** Only when it is another one: a screen reader reads what is set again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

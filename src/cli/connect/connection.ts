/** How an app is brought to the port: by shell variables, by a change of its config file, or by hand. Types only. */
import type { PortFacts } from './port-facts.ts'

export type Connection =
  /** For `eval`: nothing but assignments and comments. */
  | { readonly kind: 'shell'; readonly lines: readonly string[] }
  /** Text to put somewhere, or steps in the app's own settings. */
  | { readonly kind: 'text'; readonly lines: readonly string[] }
  | {
      readonly kind: 'file'
      /** Below the home of the user, as the app looks for it. */
      readonly path: string
      /** The file with our part in it; every other byte stays. Throws `usage` when the text is not what the app reads. Pure. */
      readonly edit: (text: string | null) => string
      /** What to do in the app then. */
      readonly afterwards: readonly string[]
    }

export interface App {
  /** As the user types it. */
  readonly id: string
  readonly title: string
  readonly connect: (port: PortFacts) => Connection
}

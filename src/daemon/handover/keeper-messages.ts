/** What the ending daemon and the keeper of its port say to each other. Types only. */

/** The ending daemon to the keeper, over its channel; the first two come with a listener or a connection. */
export type ToKeeper =
  | { readonly kind: 'listener' }
  /** `sent`: what its client has sent already. */
  | { readonly kind: 'connection'; readonly sent: Uint8Array }
  /** Nothing more will come. */
  | { readonly kind: 'all' }

/** The keeper to the ending daemon: it is there; it accepts; it has the connection; it has all. */
export type FromKeeper = 'up' | 'accepting' | 'has' | 'has-all'

/** The keeper's one argument, as JSON. */
export interface KeeperOrders {
  /** Where the next daemon asks for the port. */
  readonly socketPath: string
  /** How long it keeps what nobody comes for. */
  readonly limitMs: number
  readonly maxConnections: number
}

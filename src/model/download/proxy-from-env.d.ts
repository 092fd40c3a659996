/** The part of proxy-from-env that is used; the package has no types. */
declare module 'proxy-from-env' {
  /** The address of the proxy for `url` by HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; empty for none. */
  export function getProxyForUrl(url: string): string
}

/**
 * Whether `text` may be the authority of a request: a host name or IPv4 address (RFC 3986 reg-name less its
 * percent-encoding and sub-delimiters, which no DNS name has), or a bracketed IPv6 address, and an optional port.
 */
export const isAuthority = (text: string): boolean => {
  const found = AUTHORITY.exec(text);
  return found !== null && Number(found[1] ?? 0) <= 65_535;
};
const AUTHORITY = /^(?:[A-Za-z0-9_~.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?$/;

/** Heuristically cacheable, RFC 9110 15.1. */
const HEURISTIC = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501]);

/** Statuses whose caching rules are known here: those RFC 9110 defines, with 425, 426, 428, 429, 431, 451 and 511 of their own RFCs. */
const UNDERSTOOD = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413,
  414, 415, 416, 417, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 511,
]); // biome-ignore format: a list of numbers

export const isHeuristicallyCacheable = (status: number): boolean => HEURISTIC.has(status);
export const isUnderstood = (status: number): boolean => UNDERSTOOD.has(status);
/** A final status of RFC 9110; 1xx never is, and 600 up are no statuses. */
export const isFinal = (status: number): boolean => status >= 200 && status <= 599;

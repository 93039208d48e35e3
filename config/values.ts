import { isIP } from 'node:net';
import { z } from 'zod';
import { formatDuration, parseDuration, parseSize } from './units.ts';

/** What setTimeout takes at most, ms; for more it fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const durationBetween = (least: number, most: number) =>
  z
    .union([z.string(), z.number()])
    .transform((value, context) => {
      const ms = parseDuration(String(value));
      if (ms !== undefined && ms >= least && ms <= most) return ms;
      const message =
        ms === undefined
          ? 'expected a duration such as 90s, 10m, 1h or 7d'
          : ms > most
            ? 'expected at most 24d'
            : `expected at least ${formatDuration(least)}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({ format: 'duration' });

/** A duration as `90s 10m 1h 7d`; milliseconds inside. */
export const duration = durationBetween(0, Number.POSITIVE_INFINITY);

/** The same for what a timer counts down. */
export const timer = durationBetween(0, MAX_TIMER_MS);

/** The same where none at all would mean giving up before beginning. */
export const someTime = durationBetween(1, MAX_TIMER_MS);

/** A size as `64MiB`, `1GB` or a count of bytes; bytes inside. */
export const size = z
  .union([z.string(), z.number()])
  .transform((value, context) => {
    const bytes = parseSize(String(value));
    if (bytes !== undefined) return bytes;
    context.addIssue({ code: 'custom', message: 'expected a size such as 64MiB, 1GB or a number of bytes' });
    return z.NEVER;
  })
  .meta({ format: 'size' });

/** `http://host[:port]` or `https://…`, nothing behind it. */
export const originUrl = z.string().refine((text) => {
  if (/^unix:\/./.test(text)) return true;
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.hash && !url.username;
}, 'expected http://host:port or https://host:port with no path, or unix:/path');

/** `host:port`, `:port`, `[::1]:port`, `unix:/path` or `fd:3` (a socket handed over by systemd). */
export const listenAddress = z
  .string()
  .regex(
    /^(unix:.+|fd:\d+|(\[[0-9a-fA-F:.]+\]|[^:\s/]*):\d{1,5})$/,
    'expected host:port, [v6]:port, unix:/path or fd:N',
  );

/** An IP address or a network in CIDR form. */
export const network = z.string().refine((text) => {
  if (text === 'unix') return true;
  const [address, bits, ...more] = text.split('/');
  const version = isIP(address ?? '');
  return (
    version !== 0 &&
    more.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
  );
}, 'expected an address, a network such as 10.0.0.0/8, or unix');

export const count = z.number().int().min(0);

/** One value or a list of them; always a list inside. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.union([item, z.array(item)]).transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[]);

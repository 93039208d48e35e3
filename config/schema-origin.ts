import { z } from 'zod';
import { count, duration, listenAddress, size, someTime } from './values.ts';

const upstreamLimits = {
  timeout: someTime.prefault('2s').describe('one exchange, connect to last byte'),
  parallel: count.min(1).default(8).describe('requests under way at once'),
  perSecond: z.number().positive().default(20).describe('requests a second, token bucket'),
  maxSize: size.prefault('16MiB').describe('largest body read'),
};

const httpOrFile = z
  .string()
  .regex(/^(https?:\/\/[^\s/]+(\/\S*)?|file:.+)$/, 'expected http(s)://host[/base] or file:DIR');

/** Settings of the origin: lookup, PyPI, downloads, imaging. */
export const originSection = z.strictObject({
  listen: listenAddress.default('127.0.0.1:8081').describe('plain HTTP, for the front door alone'),
  deadline: someTime.prefault('2500ms').describe('a badge is answered by then'),
  contact: z.string().default('').describe('URL or mail address in the User-Agent sent to PyPI'),
  lookup: z
    .strictObject({
      ttl: duration.prefault('10m').describe('how long what is known of a package is not asked again'),
      redis: z
        .string()
        .regex(/^(rediss?:\/\/|unix:).+$/, 'expected redis://host:port')
        .optional()
        .describe('leave out: embedded')
        .meta({ secret: true }),
      dir: z.string().default('var/lookup').describe('of the embedded store'),
      timeout: someTime.prefault('50ms').describe('what Redis may cost a request'),
      missingTtl: duration.prefault('5m').describe('how long a package is remembered as not found'),
      stale: duration.prefault('7d').describe('how long a known record stands in when PyPI fails'),
    })
    .prefault({})
    .describe('what is known of packages'),
  pypi: z
    .strictObject({
      url: httpOrFile.default('https://pypi.org').describe('PyPI, a mirror, or file:DIR with its JSON documents'),
      ...upstreamLimits,
    })
    .prefault({})
    .describe('where packages are looked up'),
  downloads: z
    .strictObject({
      url: z
        .union([z.literal('off'), z.literal('pypi'), httpOrFile])
        .default('https://pypistats.org')
        .describe('pypistats.org, a static JSON file (file:FILE), pypi (its own counts), or off'),
      ttl: duration.prefault('24h').describe('counts are made once a day'),
      stale: duration.prefault('14d').describe('how long known counts stand in when the service fails'),
      perMinute: z.number().positive().default(25).describe('requests a minute, token bucket'),
      timeout: upstreamLimits.timeout,
      parallel: upstreamLimits.parallel,
      maxSize: size.prefault('64KiB').describe('largest body read'),
    })
    .prefault({})
    .describe('where download counts come from'),
  imaging: z
    .strictObject({
      url: z
        .string()
        .regex(/^https?:\/\/[^\s/]+(\/\S*)?$/, 'expected http(s)://host')
        .optional()
        .describe('a shields-compatible server; leave out: embedded'),
      timeout: someTime.prefault('1s').describe('of one drawing by a server'),
      workers: count.min(1).default(1).describe('raster threads'),
      queue: count.min(1).default(256).describe('rasters waiting at most'),
    })
    .prefault({})
    .describe('who draws the badges'),
  contentRedirects: z
    .boolean()
    .default(true)
    .describe(
      'answer a generic badge with a redirect to the content it shows; false: draw it at once, for a front door that follows none',
    ),
  versionColors: z
    .enum(['semantic', 'legacy'])
    .default('semantic')
    .describe('semantic: blue, orange before 1.0 and for pre-releases; legacy: always green'),
  maxAge: duration.prefault('1h').describe('Cache-Control of a good badge'),
  notFoundMaxAge: duration.prefault('5m').describe('of a badge that says not found'),
  errorMaxAge: duration.prefault('60s').describe('of a badge that tells of a failure here or upstream'),
});

export type OriginConfig = z.output<typeof originSection>;

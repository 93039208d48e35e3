import http from 'node:http';
import type { Logger } from 'pino';
import type { OriginConfig } from '../config/schema-origin.ts';
import { type Picture, refuseMethod, sendPicture, sendRedirect } from './answer.ts';
import type { Badge, Format } from './badge.ts';
import { type Content, contentUri } from './content-uri.ts';
import { type Imaging, ImagingError } from './imaging/imaging.ts';
import { drawSvg } from './imaging/svg.ts';
import { KINDS, type KindName } from './kinds.ts';
import { BAD_NAME, BROKEN, badgeOf, failureWords, isWords, NOT_FOUND, NOWHERE, type Standing } from './outcome.ts';
import { lookUp, type Packages } from './packages.ts';
import { type Route, routeOf } from './routes.ts';
import type { Sparingly } from './sparingly.ts';
import { type Wishes, wishesOf } from './wishes.ts';

export interface OriginParts {
  readonly config: OriginConfig;
  readonly packages: Packages;
  readonly imaging: Imaging;
  readonly log: Logger;
  /** For what comes in floods. */
  readonly warn: Sparingly;
}

/** Of the deadline, what is kept for drawing and sending once a lookup was given up. */
const DRAWING_SHARE = 0.2;
const MAX_ID = 64;
/** Idle connections live longer than those a front door keeps, so that it never sends on one being closed. */
const TIMEOUTS = {
  requestTimeout: 15_000, headersTimeout: 10_000, connectionsCheckingInterval: 1_000, keepAliveTimeout: 90_000,
}; // biome-ignore format: one row

/** The way of a badge: route, look up, translate, draw, send. */
export const createOriginServer = (parts: OriginParts): http.Server =>
  http.createServer(TIMEOUTS, (request, response) => {
    const startMs = performance.now();
    const id = (request.headers['x-request-id'] ?? '').toString().slice(0, MAX_ID);
    const log = parts.log.child({ req: { id } });
    response.on('finish', () =>
      log.debug(
        { url: request.url, statusCode: response.statusCode, us: Math.round((performance.now() - startMs) * 1000) },
        'answered',
      ),
    );
    handle(parts, startMs, request, response).catch((error: unknown) => {
      log.error({ err: error, url: request.url }, 'a badge could not be made');
      if (!response.headersSent) sendPicture(request, response, broken(parts.config));
      else response.destroy();
    });
  });

const handle = async (
  parts: OriginParts,
  startMs: number,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> => {
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuseMethod(response);
  const patienceMs = () => startMs + parts.config.deadline - performance.now();
  const route = routeOf(request.url ?? '/');
  const drawing = { parts, patienceMs };
  switch (route.to) {
    case 'content':
      return sendPicture(request, response, await drawContent(drawing, route.content));
    case 'package':
      return sendBadge(drawing, route, request, response);
    case 'bad-name': {
      const wishes = wishesOf(route.query);
      const badge = badgeOf(route.kind, BAD_NAME.message, BAD_NAME.color, 'error', wishes);
      return sendPicture(
        request,
        response,
        await drawFailure(drawing, 404, badge, route.format, parts.config.notFoundMaxAge),
      );
    }
    case 'nowhere': {
      const badge = { ...NOWHERE, labelColor: undefined, style: 'flat' } as const;
      return sendPicture(
        request,
        response,
        await drawFailure(drawing, 404, badge, route.format, parts.config.notFoundMaxAge),
      );
    }
  }
};

interface Drawing {
  readonly parts: OriginParts;
  /** What is left until the deadline. */
  readonly patienceMs: () => number;
}

const sendBadge = async (
  drawing: Drawing,
  { kind, format, name, query }: Extract<Route, { to: 'package' }>,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> => {
  const { config, packages } = drawing.parts;
  const wishes = wishesOf(query);
  const surrogateKey = `package:${name} kind:${kind}`;
  const made = await makeBadge(drawing, kind, name, wishes, packages);
  const cacheControl = made.standing === 'good' ? goodControl(config.maxAge, wishes) : shortControl(made.maxAgeMs);
  const content: Content = { badge: made.badge, format, scale: format === 'svg' ? 1 : wishes.scale };
  if (config.contentRedirects && KINDS[kind].generic && !isWords(made.standing))
    return sendRedirect(response, contentUri(content), cacheControl, made.standing, surrogateKey);
  const drawn = await draw(drawing, content, isWords(made.standing));
  const standing = drawn.complete ? made.standing : 'error';
  return sendPicture(request, response, {
    status: 200,
    bytes: drawn.bytes,
    format: drawn.format,
    cacheControl: drawn.complete ? cacheControl : shortControl(config.errorMaxAge),
    standing,
    surrogateKey,
  });
};

interface Made {
  readonly badge: Badge;
  readonly standing: Standing;
  readonly maxAgeMs: number;
}

const makeBadge = async (
  drawing: Drawing,
  kind: KindName,
  name: string,
  wishes: Wishes,
  packages: Packages,
): Promise<Made> => {
  const { config } = drawing.parts;
  const words = (message: string, color: string, standing: Standing, maxAgeMs: number): Made => ({
    badge: badgeOf(kind, message, color, standing, wishes),
    standing,
    maxAgeMs,
  });
  const looked = await lookUp(packages, kind, name, wishes, drawing.patienceMs() - config.deadline * DRAWING_SHARE);
  switch (looked.kind) {
    case 'not-found':
      return words(NOT_FOUND.message, NOT_FOUND.color, 'missing', config.notFoundMaxAge);
    case 'failed':
      return words(failureWords(looked.code), 'lightgrey', 'error', config.errorMaxAge);
    case 'no-data':
      return looked.staleBecause
        ? words('no data', 'lightgrey', 'error', config.errorMaxAge)
        : words('no data', 'lightgrey', 'missing', config.notFoundMaxAge);
    case 'facts': {
      const [message, color] = KINDS[kind].badge(looked.facts, { ...wishes, versionColors: config.versionColors });
      const standing = looked.staleBecause ? 'stale' : 'good';
      return { badge: badgeOf(kind, message, color, standing, wishes), standing, maxAgeMs: config.errorMaxAge };
    }
  }
};

interface Drawn {
  readonly bytes: Buffer;
  readonly format: Format;
  /** false: imaging failed, and this is the SVG made here in its place. */
  readonly complete: boolean;
}

/** By the imaging configured; where it fails the embedded SVG, which cannot, is sent as what it is. `here`: words of ours, not worth a question to another server as SVG. */
const draw = async ({ parts, patienceMs }: Drawing, content: Content, here: boolean): Promise<Drawn> => {
  if (here && content.format === 'svg')
    return { bytes: Buffer.from(drawSvg(content.badge)), format: 'svg', complete: true };
  try {
    return { bytes: await parts.imaging.draw(content, patienceMs()), format: content.format, complete: true };
  } catch (error) {
    if (!(error instanceof ImagingError)) throw error;
    parts.warn(
      `imaging-${error.code}`,
      { code: error.code, reason: error.message, format: content.format },
      'imaging failed; sent as SVG',
    );
    return { bytes: Buffer.from(drawSvg(content.badge)), format: 'svg', complete: false };
  }
};

const drawContent = async (drawing: Drawing, content: Content): Promise<Picture> => {
  const drawn = await draw(drawing, content, false);
  return {
    status: 200,
    bytes: drawn.bytes,
    format: drawn.format,
    cacheControl: drawn.complete ? 'public, max-age=86400, immutable' : shortControl(drawing.parts.config.errorMaxAge),
    standing: drawn.complete ? 'good' : 'error',
    surrogateKey: undefined,
  };
};

const drawFailure = async (
  drawing: Drawing,
  status: 404,
  badge: Badge,
  format: Format,
  maxAgeMs: number,
): Promise<Picture> => {
  const drawn = await draw(drawing, { badge, format, scale: 1 }, true);
  return {
    status,
    bytes: drawn.bytes,
    format: drawn.format,
    cacheControl: shortControl(maxAgeMs),
    standing: 'error',
    surrogateKey: undefined,
  };
};

const broken = (config: OriginConfig): Picture => {
  const badge = { ...BROKEN, labelColor: undefined, style: 'flat' } as const;
  return {
    status: 500,
    bytes: Buffer.from(drawSvg(badge)),
    format: 'svg',
    cacheControl: shortControl(config.errorMaxAge),
    standing: 'error',
    surrogateKey: undefined,
  };
};

const seconds = (ms: number) => Math.round(ms / 1000);
/** Without Cache-Control GitHub's camo would keep a badge for a year; `cacheSeconds` only raises. */
const goodControl = (maxAgeMs: number, { cacheSeconds }: Wishes): string =>
  `public, max-age=${Math.max(seconds(maxAgeMs), cacheSeconds)}, stale-while-revalidate=86400, stale-if-error=86400`;
const shortControl = (maxAgeMs: number): string => `public, max-age=${seconds(maxAgeMs)}`;

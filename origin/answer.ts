import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { FORMATS, type Format } from './badge.ts';
import type { Standing } from './outcome.ts';

export interface Picture {
  readonly status: 200 | 404 | 500 | 503;
  readonly bytes: Buffer;
  readonly format: Format;
  readonly cacheControl: string;
  readonly standing: Standing;
  readonly surrogateKey: string | undefined;
}

/** What every answer carries: pictures are shown anywhere and run nothing. */
const ALWAYS = {
  'Access-Control-Allow-Origin': '*',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
} as const;

/** Sends a picture, or 304 where the client has it already. The ETag is strong: of the bytes. */
export const sendPicture = (request: IncomingMessage, response: ServerResponse, picture: Picture): void => {
  const etag = `"${createHash('sha256').update(picture.bytes).digest('base64url').slice(0, 22)}"`;
  const headers = {
    ...ALWAYS,
    'Cache-Control': picture.cacheControl,
    ETag: etag,
    ...marks(picture.standing, picture.surrogateKey),
  };
  if (picture.status === 200 && matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(picture.status, {
    ...headers,
    'Content-Type': FORMATS[picture.format],
    'Content-Length': picture.bytes.length,
  });
  response.end(request.method === 'HEAD' ? undefined : picture.bytes);
};

/** 307: the badge is the content at `location`. */
export const sendRedirect = (
  response: ServerResponse,
  location: string,
  cacheControl: string,
  standing: Standing,
  surrogateKey: string,
): void => {
  response
    .writeHead(307, {
      ...ALWAYS,
      Location: location,
      'Cache-Control': cacheControl,
      'Content-Length': 0,
      ...marks(standing, surrogateKey),
    })
    .end();
};

export const refuseMethod = (response: ServerResponse): void => {
  response.writeHead(405, { ...ALWAYS, Allow: 'GET, HEAD', 'Cache-Control': 'no-store', 'Content-Length': 0 }).end();
};

const marks = (standing: Standing, surrogateKey: string | undefined): Record<string, string> => ({
  ...(standing === 'good' ? {} : { 'Lacquer-Badge': standing }),
  ...(surrogateKey === undefined ? {} : { 'Surrogate-Key': surrogateKey }),
});

/** RFC 9110, 13.1.2: weak comparison, over a list. */
const matches = (field: string | undefined, etag: string): boolean => {
  if (field === undefined) return false;
  return field.trim() === '*' || field.split(',').some((candidate) => candidate.trim().replace(/^W\//, '') === etag);
};

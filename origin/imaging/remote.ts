import type { Format } from '../badge.ts';
import { type Content, escapePart } from '../content-uri.ts';
import { UpstreamError } from '../upstream/error.ts';
import { agentFor, exchange } from '../upstream/exchange.ts';
import { Gate } from '../upstream/gate.ts';
import { type Imaging, ImagingError } from './imaging.ts';

const MAX_IMAGE = 1024 * 1024;
const PARALLEL = 16;

/**
 * A shields-compatible server, asked for static badges. Tried twice. Only what is a picture of the format asked for comes
 * back; anything else throws ImagingError, so that an error page is never kept as somebody's badge.
 * @param base without a trailing slash, such as https://img.shields.io
 */
export const remoteImaging = (base: string, timeoutMs: number, userAgent: string, clock: () => number): Imaging => {
  const agent = agentFor(base, PARALLEL);
  const gate = new Gate({ parallel: PARALLEL, perSecond: 1_000, burst: 1_000, patienceMs: timeoutMs, clock });
  const attempt = async (content: Content, untilMs: number): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    const patienceMs = Math.min(timeoutMs, untilMs - performance.now());
    if (patienceMs <= 0) throw new UpstreamError('timeout', 'no time left');
    const options = {
      agent,
      timeoutMs: patienceMs,
      maxSize: MAX_IMAGE,
      headers: { accept: 'image/*', 'user-agent': userAgent },
    };
    const { status, headers } = await exchange(new URL(base + staticPath(content)), options, (piece) =>
      pieces.push(piece),
    );
    if (status !== 200) throw new ImagingError('remote-status', `status ${status}`);
    const image = Buffer.concat(pieces);
    const type = headers['content-type'] ?? '';
    if (!TYPES[content.format].test(type) || !isPicture(image, content.format))
      throw new ImagingError('remote-answer', `no ${content.format}: ${type.slice(0, 64)}`);
    // how the server marks a picture that tells of its own failure; its static badges are cacheable for long
    if (headers['lacquer-badge'] === 'error' || /\bno-(store|cache)\b|max-age=0\b/.test(headers['cache-control'] ?? ''))
      throw new ImagingError('remote-answer', 'a picture of an error');
    return image;
  };
  return {
    draw: async (content, patienceMs) => {
      const untilMs = performance.now() + patienceMs;
      try {
        return await gate
          .run(() => attempt(content, untilMs))
          .catch((error: unknown) => {
            const isWorthAnother =
              error instanceof UpstreamError && ['refused', 'timeout', 'bad-status'].includes(error.code);
            if (!isWorthAnother) throw error;
            return gate.run(() => attempt(content, untilMs));
          });
      } catch (error) {
        if (error instanceof UpstreamError)
          throw new ImagingError(error.code === 'timeout' ? 'timeout' : 'remote-refused', error.message, {
            cause: error,
          });
        throw error;
      }
    },
    close: async () => {
      gate.close();
      agent.destroy();
    },
  };
};

/** shields knows neither our order of parameters nor `scale`; the path is the same. */
const staticPath = ({ badge, format, scale }: Content): string => {
  const query = new URLSearchParams({ style: badge.style });
  if (badge.labelColor !== undefined) query.set('labelColor', badge.labelColor);
  if (scale !== 1) query.set('scale', String(scale));
  return `/badge/${[badge.label, badge.message, badge.color].map(escapePart).join('-')}.${format}?${query}`;
};

const TYPES: Readonly<Record<Format, RegExp>> = {
  svg: /^image\/svg\+xml\b/i,
  png: /^image\/png\b/i,
  jpeg: /^image\/jpeg\b/i,
  gif: /^image\/gif\b/i,
  tiff: /^image\/tiff\b/i,
  webp: /^image\/webp\b/i,
};

/** By the first bytes, whatever the type says. */
const isPicture = (image: Buffer, format: Format): boolean => {
  const head = image.subarray(0, 12).toString('latin1');
  switch (format) {
    case 'svg':
      return (
        /^\s*(<\?xml[^>]*\?>\s*)?<svg[\s>]/.test(image.subarray(0, 256).toString('utf8')) &&
        /<\/svg>\s*$/.test(image.subarray(-64).toString('utf8'))
      );
    case 'png':
      return head.startsWith('\x89PNG\r\n\x1a\n');
    case 'jpeg':
      return head.startsWith('\xff\xd8\xff');
    case 'gif':
      return /^GIF8[79]a/.test(head);
    case 'tiff':
      return head.startsWith('II*\0') || head.startsWith('MM\0*');
    case 'webp':
      return head.startsWith('RIFF') && head.slice(8) === 'WEBP';
  }
};

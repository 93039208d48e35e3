import type { BodyReader } from '../fills/origin-body.ts';
import type { OriginResponse } from '../fills/upstream.ts';
import { endToEnd } from '../policy/hop.ts';
import { initialAgeSeconds } from '../policy/lifetime.ts';
import { linesOf } from '../policy/lines.ts';
import { asGet, responseFacts } from '../policy/parse-facts.ts';
import { storable, storedFields } from '../policy/storable.ts';
import { varyOf } from '../policy/vary.ts';
import { LARGE, type Store } from '../store/store.ts';
import { tagsOf } from '../tags.ts';
import type { RequestHead } from './request-head.ts';

/**
 * RFC 9110 9.3.3: the answer to a POST is what a later GET may be given where it names its own lifetime and says, with
 * Content-Location, that it represents the very target. Kept up to LARGE bytes. To be
 * called once what the POST made void is gone; whoever reads the response that it returns has it kept.
 */
export const keepPostAnswer = (
  store: Store,
  head: RequestHead,
  response: OriginResponse,
  nowMs: number,
): OriginResponse => {
  const facts = responseFacts(response.status, response.rawHeaders);
  if (!representsTarget(head, response) || !storable(asGet(head.facts), facts, head.rule).store) return response;
  const token = store.beginFill(head.key);
  const headers = endToEnd(response.rawHeaders);
  const chunks: Buffer[] = []; // at most LARGE bytes together
  let length = 0;

  const keep = async () => {
    const writer = store.newBody();
    writer.write(Buffer.concat(chunks));
    const body = await writer.finish();
    writer.release();
    if (!body) return;
    await store.put(
      head.key,
      {
        keyText: head.key.text,
        status: response.status,
        headers: storedFields(headers, facts),
        requestedAtMs: response.startedMs,
        storedAtMs: nowMs,
        initialAgeSeconds: initialAgeSeconds(facts, response.startedMs, nowMs),
        vary: varyOf(facts, head.facts.field, head.rule),
        tags: tagsOf(headers, head),
        forms: [{ coding: 'identity', etag: facts.etag, length, body }],
        purgedAtMs: undefined,
        facts,
      },
      token,
    );
  };

  const { body } = response;
  const read = (reader: BodyReader) =>
    body.read({
      data(chunk) {
        length += chunk.length;
        if (length <= LARGE) chunks.push(chunk);
        else chunks.length = 0;
        reader.data(chunk);
      },
      end() {
        if (length <= LARGE) keep().catch(() => undefined);
        reader.end();
      },
      broken: () => reader.broken(),
    });
  return {
    status: response.status, rawHeaders: response.rawHeaders, host: response.host, startedMs: response.startedMs, ttfbUs: response.ttfbUs, attempts: response.attempts,
    elapsedUs: () => response.elapsedUs(),
    abort: () => response.abort(),
    body: { read, pause: () => body.pause(), resume: () => body.resume(), skip: () => body.skip() },
  }; // biome-ignore format: the same response
};

const representsTarget = (head: RequestHead, { status, rawHeaders }: OriginResponse): boolean => {
  if (head.method !== 'POST' || status !== 200) return false;
  const { sMaxage, maxAge } = responseFacts(status, rawHeaders).cacheControl;
  if (sMaxage === undefined && maxAge === undefined && linesOf(rawHeaders, 'expires').length === 0) return false;
  const [reference, ...more] = linesOf(rawHeaders, 'content-location');
  const own = `${head.scheme}://${head.host}${head.key.target}`;
  if (reference === undefined || more.length > 0 || !URL.canParse(reference, own)) return false;
  return new URL(reference, own).href === new URL(own).href;
};

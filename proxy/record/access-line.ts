import type { Client } from '../client.ts';
import type { Halves, RefusedRequest } from '../front.ts';
import type { OriginOutcome, Outcome, Repeated } from '../outcome.ts';
import type { Reason } from '../policy/reasons.ts';
import { digits, put3, putDigits, putNumber } from '../roads/digits.ts';
import type { RequestHead } from '../roads/request-head.ts';
import {
  ascii,
  cacheText,
  headersText,
  keyText,
  originText,
  quoted,
  requestText,
  routeText,
  truncateAddress,
} from './access-text.ts';
import { copyText, KeptTexts, putText, type Text, textOf } from './kept-texts.ts';

/** Where lines go: room for one is asked for, written into `bytes`, and taken in by its end. */
export interface LineBuffer {
  readonly bytes: Buffer;
  /** Of the same memory. */
  readonly view: DataView;
  /** Start of at least `length` free bytes; -1: the line is dropped. */
  reserve(length: number): number;
  commit(end: number): void;
}

export interface LineOptions {
  /** First 8 hex digits of the hash of the effective lifetimes. */
  readonly cfgHash: string;
  readonly remoteAddress: 'truncate' | 'full' | 'none';
  /** Lower-case names of the request headers that are logged. */
  readonly headers: readonly string[];
}

type LineClient = Pick<Client, 'id' | 'putId' | 'startMs' | 'remoteAddress'>;

/** Room for what a line holds beside the parts that are kept: digits, id. */
const SPARE_BYTES = 256;
/** Addresses whose shown form is kept, the oldest goes first. */
const ADDRESSES = 4096;

/**
 * Builds the lines of the access log: pino's shape, ended by a line feed; the schema is logs/record.ts. The line of a request
 * is copied together from parts kept as bytes, with the digits of times put in between: no garbage, and a third of what a
 * template string of the same parts costs (bench/hit.ts).
 */
export const openAccessLines = (options: LineOptions) => {
  const { cfgHash } = options;
  const hasAddress = options.remoteAddress !== 'none';
  const addressName = hasAddress ? ',"remoteAddress":"' : '';
  const addressEnd = hasAddress ? '"' : '';
  // its zeros are where level, time and start go
  const opening = textOf(
    `{"level":30,"time":0000000000000,"type":"access","cfg":"${cfgHash}","start":0000000000000.000,"us":`,
  );
  const openingBytes = Buffer.from(opening.view.buffer);
  let openingSecond = -1;
  let openingMs = -1;
  const texts = new KeptTexts();
  const addresses = new Map<string, Text>(); // bounded by ADDRESSES
  let lastAddress = '';
  let lastShown = textOf('');

  const shown = (address: string): Text => {
    if (!hasAddress || address === lastAddress) return lastShown;
    let text = addresses.get(address);
    if (!text) {
      text = textOf(options.remoteAddress === 'full' ? quoted(address.slice(0, 64)) : truncateAddress(address));
      if (addresses.size >= ADDRESSES) addresses.delete(addresses.keys().next().value!);
      addresses.set(address, text);
    }
    lastAddress = address;
    lastShown = text;
    return text;
  };

  const requestPart = (head: RequestHead): string =>
    `"${requestText(head.method, head.rawTarget, head.host, head.httpVersion)}${addressName}`;

  const keptRequest = (head: RequestHead): Text => {
    const isUsual = head.method === 'GET' && head.httpVersion === 'HTTP/1.1';
    const { place } = head;
    if (isUsual && place.logText) return place.logText;
    const text = textOf(requestPart(head));
    if (isUsual) place.logText = text;
    return text;
  };

  const keptHeaders = ({ asked, rawHeaders }: RequestHead): Text => {
    asked.logText ??= textOf(`${addressEnd}${headersText(rawHeaders, options.headers)}},"res":`);
    return asked.logText;
  };

  const outcomeText = (head: RequestHead, outcome: Outcome): string => {
    const { cache, origin } = outcome;
    return (
      `{"statusCode":${outcome.statusCode},"bytes":${outcome.bytes}${outcome.aborted ? ',"aborted":true' : ''}${routeText(head)}` +
      `"cache":{"status":"${cache.status}"${cacheText(cache, head.key.id)}}${origin === undefined ? '' : originText(origin)}}\n`
    );
  };

  /** What all lines of a repeated outcome share; the age, which changes, comes last and is written for each. */
  const keepText = (head: RequestHead, outcome: Outcome, repeated: Repeated): void => {
    const request = requestPart(head);
    const text = request + outcomeText(head, outcome).replace(/\d+\}\}\n$/, '');
    texts.keep(text);
    repeated.logView = texts.view;
    repeated.logAt = texts.at;
    repeated.logSplit = request.length;
    repeated.logLength = text.length;
  };

  /** Everything up to the id's end; where the next byte goes. */
  const begin = (bytes: Buffer, view: DataView, line: number, client: LineClient, us: number): number => {
    const { startMs } = client;
    const wholeMs = Math.floor(startMs);
    if (wholeMs !== openingMs) {
      openingMs = wholeMs;
      const second = Math.floor(wholeMs / 1000);
      if (second !== openingSecond) {
        openingSecond = second;
        putDigits(openingBytes, TIME_AT, second, 10);
        putDigits(openingBytes, START_AT, second, 10);
      }
      put3(openingBytes, TIME_AT + 10, wholeMs - second * 1000);
      put3(openingBytes, START_AT + 10, wholeMs - second * 1000);
    }
    let at = putText(opening, view, line);
    const endMs = Math.floor(startMs + us / 1000);
    if (endMs !== wholeMs) putDigits(bytes, line + TIME_AT, endMs, 13);
    put3(bytes, line + START_AT + 14, microsecond(startMs));
    at = putText(ID_NAME, view, putNumber(bytes, at, us));
    if (client.putId) return client.putId(bytes, at);
    const { id } = client;
    for (let i = 0; i < id.length; i++) bytes[at++] = id.charCodeAt(i);
    return at;
  };

  const repeatedLine = (
    into: LineBuffer,
    view: DataView,
    headers: Text,
    client: LineClient,
    repeated: Repeated,
    us: number,
  ): void => {
    const { logAt, logSplit, logLength } = repeated;
    const address = shown(client.remoteAddress);
    const line = into.reserve(opening.length + logLength + address.length + headers.length + SPARE_BYTES);
    if (line < 0) return;
    const { bytes, view: to } = into;
    let at = begin(bytes, to, line, client, us);
    copyText(view, logAt, to, at, logSplit);
    at = putText(headers, to, putText(address, to, at + logSplit));
    copyText(view, logAt + logSplit, to, at, logLength - logSplit);
    at = putNumber(bytes, at + logLength - logSplit, repeated.ageSeconds);
    into.commit(putText(LINE_END, to, at));
  };

  return {
    /** Writes the line of a request, or nothing where `into` has no room. */
    request(into: LineBuffer, head: RequestHead, client: LineClient, outcome: Outcome, us: number): void {
      const { repeated } = outcome;
      if (repeated !== undefined) {
        if (repeated.logView === undefined) keepText(head, outcome, repeated);
        return repeatedLine(into, repeated.logView!, keptHeaders(head), client, repeated, us);
      }
      const request = keptRequest(head);
      const address = shown(client.remoteAddress);
      const headers = keptHeaders(head);
      const rest = outcomeText(head, outcome);
      const line = into.reserve(
        opening.length + request.length + address.length + headers.length + rest.length + SPARE_BYTES,
      );
      if (line < 0) return;
      const { bytes, view } = into;
      let at = begin(bytes, view, line, client, us);
      if (outcome.statusCode >= 500) bytes[line + LEVEL_AT] = 0x35;
      else if (outcome.origin?.error !== undefined) bytes[line + LEVEL_AT] = 0x34;
      for (const part of [request, address, headers]) at = putText(part, view, at);
      into.commit(at + bytes.write(rest, at, 'latin1'));
    },

    /** `request` for an outcome that others have had: nothing of the head is looked at once its texts are made. */
    repeated(into: LineBuffer, halves: Halves, client: LineClient, outcome: Outcome & Repeated, us: number): void {
      const { logText: headers } = halves.asked;
      if (outcome.logView === undefined || headers === undefined)
        return this.request(into, halves.whole(), client, outcome, us);
      repeatedLine(into, outcome.logView, headers, client, outcome, us);
    },

    refresh(
      head: RequestHead,
      parentId: string,
      origin: OriginOutcome,
      stored: boolean,
      why: Reason | undefined,
      nowMs: number,
    ): string {
      const request = requestText(head.method, head.rawTarget, head.host, undefined);
      const reason = why === undefined ? '' : `,"why":"${quoted(why)}"`;
      return (
        `{"level":${origin.error === undefined ? 30 : 40},"time":${Math.floor(nowMs)},"type":"refresh","cfg":"${cfgHash}",` +
        `"start":${fine(nowMs - origin.us / 1000)},"us":${Math.round(origin.us)},"parent":"${parentId}","req":{${request.slice(1)}${routeText(head)}` +
        `"cache":{"stored":${stored}${reason}${keyText(head.key.id)}}${originText(origin)}}\n`
      );
    },

    refused(request: RefusedRequest): string {
      const method = request.method.slice(0, 64);
      const address = `${addressName}${stringOf(shown(request.remoteAddress))}${addressEnd}`;
      return (
        `{"level":30,"time":${Math.floor(request.startMs + request.us / 1000)},"type":"access","cfg":"${cfgHash}","start":${fine(request.startMs)},` +
        `"us":${request.us},"req":{"id":"${request.id}"${requestText(method, request.target, request.host, request.httpVersion)}${address}},` +
        `"res":{"statusCode":${request.statusCode},"bytes":${request.bytes}},"cache":{"status":"BYPASS","why":"${request.why}"}}\n`
      );
    },

    config(previous: string | undefined, current: string, effective: unknown, nowMs: number): string {
      const prev = previous === undefined ? '' : `,"prev":"${previous}"`;
      return `{"level":30,"time":${Math.floor(nowMs)},"type":"config","cfg":"${current}"${prev},"config":${ascii(JSON.stringify(effective ?? null))}}\n`;
    },
  };
};

const stringOf = ({ view, length }: Text): string => Buffer.from(view.buffer, 0, length).toString('latin1');
const LEVEL_AT = '{"level":'.length;
const TIME_AT = '{"level":30,"time":'.length;
/** Behind a hash of eight digits. */
const START_AT = '{"level":30,"time":0000000000000,"type":"access","cfg":"00000000","start":'.length;
const LINE_END = textOf('}}\n');
const ID_NAME = textOf(',"req":{"id":"');

/** A double holds the epoch in ms to a quarter of a microsecond: rounded, .786 stays .786. */
const microsecond = (ms: number): number => Math.min(999, Math.round((ms - Math.floor(ms)) * 1000));
const fine = (ms: number): string => `${Math.floor(ms)}.${digits(microsecond(ms), 3)}`;

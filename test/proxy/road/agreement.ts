import { METHODS } from 'node:http';
import { BodyGuard } from '../../../proxy/roads/body-guard.ts';
import { scanHead } from '../../../proxy/roads/http1.ts';
import { guardHead } from '../../../proxy/roads/http1-guard.ts';
import type { openNodeOracle } from './node-oracle.ts';

type Oracle = ReturnType<typeof openNodeOracle>;

export const LIMITS = { headSize: 8192, headerCount: 100 };
const NEXT = Buffer.from('GET /next HTTP/1.1\r\nHost: next\r\n\r\n');

/**
 * What we read at the start of `bytes` and node:http does not read the same; undefined: agreement, or refused by us. The
 * next request stands right behind what we took, so that a boundary read differently shows as another next request.
 */
export const disagreement = async (oracle: Oracle, bytes: Buffer): Promise<string | undefined> =>
  (await scannerAgainst(oracle, bytes)) ?? (await guardAgainst(oracle, bytes));

const scannerAgainst = async (oracle: Oracle, bytes: Buffer): Promise<string | undefined> => {
  const head = scanHead(bytes, 0, bytes.length, LIMITS);
  if (typeof head === 'string') return undefined;
  const reading = await oracle.read([
    head.close ? bytes.subarray(0, head.length) : Buffer.concat([bytes.subarray(0, head.length), NEXT]),
  ]);
  const first = reading.requests[0];
  if (reading.error !== undefined) return `scanner accepts, node says ${reading.error}`;
  if (first?.method !== head.method || first.url !== head.target || first.httpVersion !== '1.1')
    return `scanner reads ${head.method} ${head.target}, node ${first?.method} ${first?.url}`;
  if (JSON.stringify(first.rawHeaders) !== JSON.stringify(head.rawHeaders))
    return `headers ${JSON.stringify(head.rawHeaders)}, node ${JSON.stringify(first.rawHeaders)}`;
  // after `Connection: close` node reads no further
  if (!head.close && reading.requests[1]?.url !== '/next') return 'the boundary lies elsewhere for node';
  return undefined;
};

const guardAgainst = async (oracle: Oracle, bytes: Buffer): Promise<string | undefined> => {
  const head = guardHead(bytes, 0, bytes.length, LIMITS);
  if (head === 'more' || head.kind === 'refusal') return undefined;
  const body = new BodyGuard(head.framing, 1000);
  const taken = body.feed(bytes, head.length, bytes.length);
  if (typeof taken === 'string' || !body.done) return undefined;
  const reading = await oracle.read([Buffer.concat([bytes.subarray(0, head.length + taken), NEXT])]);
  const first = reading.requests[0];
  // the road refuses methods that node:http does not know before it sees them
  if (!METHODS.includes(head.method)) return undefined;
  // having read the end of the last request, node drops what is behind it
  if (reading.error === 'HPE_CLOSED_CONNECTION' && reading.requests.length === 1) reading.error = undefined;
  if (reading.error !== undefined) return `guard accepts, node says ${reading.error}`;
  if (first?.method !== head.method || `HTTP/${first.httpVersion}` !== head.httpVersion)
    return `guard reads ${head.method}, node ${first?.method} ${first?.httpVersion}`;
  if (JSON.stringify(first.rawHeaders) !== JSON.stringify(head.rawHeaders))
    return `headers ${JSON.stringify(head.rawHeaders)}, node ${JSON.stringify(first.rawHeaders)}`;
  if (first.body.length !== body.received) return `a body of ${body.received}, node ${first.body.length}`;
  const next = reading.requests[1];
  if (next !== undefined && (next.url !== '/next' || next.rawHeaders[1] !== 'next'))
    return `the boundary lies elsewhere for node: ${next.method} ${next.url}`;
  return undefined;
};

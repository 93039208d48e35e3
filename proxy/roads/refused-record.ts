import type { RefusedRequest } from '../front.ts';
import { refusalBytes } from '../refusal.ts';
import type { Exchange } from './guarded-stream.ts';
import { REFUSALS, type Refusal, type RefusalWord } from './http1-guard.ts';
import type { Peer, Road } from './road.ts';

/** What is recorded of a request that was refused: as much of it as could be read. `headSinceMs`: by the wheel's clock, 0 where no head had begun. */
export const refusedRecord = (
  road: Road,
  peer: Peer,
  why: RefusalWord,
  refusal: Refusal | undefined,
  exchange: Exchange | undefined,
  headSinceMs: number, // biome-ignore format: one row of what is known
): RefusedRequest => {
  const nowMs = road.now();
  // the wheel's clock goes on when the wall clock jumps; only the difference is of use here
  const tookMs = headSinceMs > 0 ? road.wheel.now() - headSinceMs : 0;
  const startMs = exchange?.startMs ?? nowMs - tookMs;
  return {
    id: exchange?.id ?? road.nextId(),
    startMs,
    us: Math.max(0, Math.round((nowMs - startMs) * 1000)),
    method: refusal?.method ?? exchange?.parsed.method ?? '-',
    target: refusal?.target ?? exchange?.parsed.target ?? '-',
    host: exchange?.head.host ?? '',
    httpVersion: exchange?.parsed.httpVersion ?? 'HTTP/1.1',
    remoteAddress: exchange?.remoteAddress ?? peer.address,
    why,
    statusCode: REFUSALS[why],
    bytes: refusalBytes(why),
  };
};

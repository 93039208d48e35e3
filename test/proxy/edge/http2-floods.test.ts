import t from 'tap';
import {
  block,
  but,
  CONTINUATION,
  END_HEADERS,
  END_STREAM,
  FrameClient,
  frame,
  GOAWAY,
  HEADERS,
  head,
  PING,
  REQUEST,
  RST_STREAM,
  SETTINGS,
  setting,
  u32,
  WINDOW_UPDATE,
  withField,
} from './frames.ts';
import { connect, edge, get } from './http2-road.ts';

t.test('floods end the connection, not the program, and others are served meanwhile', async (t) => {
  const { port, counts, seen } = await edge(t);
  const other = connect(t, port);
  const served = async (what: string) => t.equal((await get(other, '/hit')).status, 200, `served after ${what}`);

  const rapid = await FrameClient.open(port);
  for (let i = 0; i < 2000; i++)
    rapid.send(
      head(but(':path', '/hang'), END_HEADERS | END_STREAM, 2 * i + 1),
      frame(RST_STREAM, 0, 2 * i + 1, u32(8)),
    );
  const calm = await rapid.find(({ type }) => type === GOAWAY);
  t.equal(calm === 'closed' ? 11 : calm.payload.readUInt32BE(4), 11, 'rapid reset: ENHANCE_YOUR_CALM');
  t.equal(counts.http2_reset_floods, 1);
  t.ok(seen.length < 1500, 'it was cut off on the way');
  await served('rapid reset');

  const many = await FrameClient.open(port);
  for (let i = 0; i < 150; i++) many.send(head(but(':path', '/hang'), END_HEADERS | END_STREAM, 2 * i + 1));
  const refused = await many.find(({ type }) => type === RST_STREAM);
  t.equal(refused === 'closed' ? 0 : refused.payload.readUInt32BE(0), 7, 'stream 101: REFUSED_STREAM');
  many.socket.destroy();

  // a client that asks and never reads; what is owed to it is bounded, then it is cut off
  const unread = async (what: string, one: Buffer, rounds: number) => {
    const client = await FrameClient.open(port);
    client.socket.pause();
    const before = process.memoryUsage().rss;
    const chunk = Buffer.concat(Array.from({ length: 1000 }, () => one));
    for (let i = 0; i < rounds && !client.closed; i++) {
      client.socket.write(chunk);
      await new Promise(setImmediate);
    }
    await served(what);
    t.ok(process.memoryUsage().rss - before < 100e6, `${what}: memory`);
    client.socket.destroy();
  };
  await unread('a flood of SETTINGS', frame(SETTINGS, 0, 0, setting(3, 100)), 200);
  await unread('a flood of PING', frame(PING, 0, 0, Buffer.alloc(8)), 200);
  await unread('a flood of empty frames', frame(0xfa, 0, 0), 200);
  await unread('a flood of window updates', frame(WINDOW_UPDATE, 0, 0, u32(1)), 200);

  const endless = await FrameClient.open(port);
  endless.send(frame(HEADERS, END_STREAM, 1, block(REQUEST)));
  const piece = frame(CONTINUATION, 0, 1, block([['x', 'y'.repeat(1000)]]));
  for (let i = 0; i < 2000 && !endless.closed; i++) {
    endless.send(piece);
    if (i % 20 === 0) await new Promise(setImmediate);
  }
  t.match(await endless.verdict(), /closed|goaway|reset/, 'endless CONTINUATION');
  await served('endless CONTINUATION');

  const wide = await FrameClient.open(port);
  wide.send(head([...REQUEST, ...Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'v'] as const)]));
  t.match(await wide.verdict(), /reset|goaway/, 'too many fields');
  const long = await FrameClient.open(port);
  long.send(head(withField('x', 'v'.repeat(15_000))));
  t.match(await long.verdict(), /answer 48|reset|goaway/, 'a header list past its limit: 431');
  t.notOk(seen.some(({ rawHeaders }) => rawHeaders.join().length > 8192));
  await served('wide and long heads');
});

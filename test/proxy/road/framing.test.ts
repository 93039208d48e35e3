import t from 'tap';
import type { RefusedRequest } from '../../../proxy/front.ts';
import { createRoads } from '../../../proxy/roads/server.ts';
import { configWith, raw, scriptedFront } from './raw.ts';

const H = 'Host: x\r\n';
const get = (extra = '', target = '/') => `GET ${target} HTTP/1.1\r\n${H}${extra}\r\n`;
const CLOSING = get('Connection: close\r\n', '/last');

const refused: RefusedRequest[] = [];
const front = scriptedFront((client, head) => {
  if (!client.body)
    return client.sendWhole(200, ['X-Target', head.rawTarget], Buffer.from(`[${head.method} ${head.rawTarget}]`));
  let got = '';
  client.body.on('data', (chunk) => {
    got += chunk;
  });
  client.body.on('end', () => client.sendWhole(200, [], Buffer.from(`[${head.method} ${got}]`)));
});
const roads = createRoads({
  front,
  config: configWith({ limits: { bodySize: 1000, headerCount: 20 } }),
  count: () => {},
  refused: (request) => refused.push(request),
});
const address = await roads.listen({ address: '127.0.0.1:0' });
t.teardown(() => roads.close());

const post = (extra: string, body: string) => `POST /p HTTP/1.1\r\n${H}${extra}\r\n${body}`;
const chunked = (body: string) => post('Transfer-Encoding: chunked\r\n', body);

/** Bytes that could be read in two ways, or are no HTTP/1 at all, and the status they get. */
const AMBIGUOUS: readonly (readonly [what: string, bytes: string, status: number])[] = [
  ['Content-Length with Transfer-Encoding', post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['Transfer-Encoding with Content-Length', post('Transfer-Encoding: chunked\r\nContent-Length: 3\r\n', '0\r\n\r\n'), 400],
  ['two Content-Lengths', post('Content-Length: 3\r\nContent-Length: 4\r\n', 'abc'), 400],
  ['two equal Content-Lengths', post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc'), 400],
  ['a list of Content-Lengths', post('Content-Length: 3, 3\r\n', 'abc'), 400],
  ['a signed Content-Length', post('Content-Length: +3\r\n', 'abc'), 400],
  ['a hexadecimal Content-Length', post('Content-Length: 0x3\r\n', 'abc'), 400],
  ['an empty Content-Length', post('Content-Length:\r\n', ''), 400],
  ['a huge Content-Length', post('Content-Length: 18446744073709551617\r\n', 'a'), 400],
  ['two Hosts', `GET / HTTP/1.1\r\n${H}${H}\r\n`, 400],
  ['two different Hosts', `GET / HTTP/1.1\r\n${H}Host: y\r\n\r\n`, 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['a Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['absolute-form with another Host', `GET http://y/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['absolute-form of another scheme', `GET ftp://x/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['a target without a slash', `GET x HTTP/1.1\r\n${H}\r\n`, 400],
  ['an asterisk that is no OPTIONS', `GET * HTTP/1.1\r\n${H}\r\n`, 400],
  ['a fragment', get('', '/a#b'), 400],
  ['obs-fold', get('X: y\r\n z\r\n'), 400],
  ['obs-fold of the first line', `GET / HTTP/1.1\r\n ${H}\r\n`, 400],
  ['a space before the colon', get('X : y\r\n'), 400],
  ['Content-Length with a space before the colon', post('Content-Length : 3\r\n', 'abc'), 400],
  ['a bare LF', 'GET / HTTP/1.1\nHost: x\n\n', 400],
  ['a bare LF between headers', `GET / HTTP/1.1\r\n${H}X: y\nZ: w\r\n\r\n`, 400],
  ['a bare LF at the end', `GET / HTTP/1.1\r\n${H}\n`, 400],
  ['a bare CR in a value', get('X: a\rb\r\n'), 400],
  ['a bare CR between lines', `GET / HTTP/1.1\rHost: x\r\r`, 400],
  ['NUL in a value', get('X: a\0b\r\n'), 400],
  ['NUL in a name', get('X\0: a\r\n'), 400],
  ['NUL in the target', get('', '/a\0b'), 400],
  ['a control byte in the target', get('', '/a\x01'), 400],
  ['a byte above ASCII in the target', get('', '/\xe4'), 400],
  ['a header without a colon', get('X\r\n'), 400],
  ['a header without a name', get(': y\r\n'), 400],
  ['two spaces in the request line', `GET  / HTTP/1.1\r\n${H}\r\n`, 400],
  ['a tab in the request line', `GET\t/ HTTP/1.1\r\n${H}\r\n`, 400],
  ['no version', `GET /\r\n${H}\r\n`, 400],
  ['HTTP/0.9', `GET / HTTP/0.9\r\n${H}\r\n`, 505],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${H}\r\n`, 505],
  ['HTTP/2.0 in the request line', `GET / HTTP/2.0\r\n${H}\r\n`, 505],
  ['a version of letters', `GET / HTTP/x.1\r\n${H}\r\n`, 400],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['TLS on the plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['a GET with a body', `${get('Content-Length: 3\r\n')}abc`, 400],
  ['a GET with chunks', `${get('Transfer-Encoding: chunked\r\n')}0\r\n\r\n`, 400],
  ['a HEAD with a body', `HEAD / HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabc`, 400],
  ['an unknown coding', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501],
  ['a coding that is not the last', post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'), 400],
  ['chunked twice', post('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n'), 400],
  ['chunked on two lines', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['a coding with a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'), 400],
  ['identity', post('Transfer-Encoding: identity\r\n', ''), 400],
  ['Transfer-Encoding in HTTP/1.0', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['a chunk size that is none', chunked('x\r\nabc\r\n0\r\n\r\n'), 400],
  ['a chunk size with 0x', chunked('0x3\r\nabc\r\n0\r\n\r\n'), 400],
  ['a negative chunk size', chunked('-3\r\nabc\r\n0\r\n\r\n'), 400],
  ['a chunk size with a space', chunked('3 \r\nabc\r\n0\r\n\r\n'), 400],
  ['a chunk size past all numbers', chunked('fffffffffffffffff\r\nabc'), 400],
  ['a chunk ended by LF', chunked('3\nabc\r\n0\r\n\r\n'), 400],
  ['a chunk longer than it says', chunked('3\r\nabcd\r\n0\r\n\r\n'), 400],
  ['a chunk extension with a bare LF', chunked('3;a\nb\r\nabc\r\n0\r\n\r\n'), 400],
  ['a bad trailer', chunked('3\r\nabc\r\n0\r\nX : y\r\n\r\n'), 400],
  ['a trailer with a bare LF', chunked('3\r\nabc\r\n0\r\nX: y\n\n'), 400],
  ['CONNECT', `CONNECT y:443 HTTP/1.1\r\n${H}\r\n`, 405],
  ['TRACE', `TRACE / HTTP/1.1\r\n${H}\r\n`, 405],
  ['a method nobody knows', `FOO / HTTP/1.1\r\n${H}\r\n`, 501],
  ['a method in lower case', `get / HTTP/1.1\r\n${H}\r\n`, 501],
  ['an expectation that is not known', post('Expect: 200-ok\r\nContent-Length: 3\r\n', 'abc'), 417],
  ['too many headers', get('X: y\r\n'.repeat(21)), 431],
  ['too large a head', get(`X: ${'y'.repeat(9000)}\r\n`), 431],
  ['too long a target', get('', `/${'y'.repeat(9000)}`), 414],
  ['a body past the limit', post('Content-Length: 1001\r\n', 'a'), 413],
  ['chunks past the limit', chunked(`3e9\r\n${'a'.repeat(1001)}\r\n0\r\n\r\n`), 413],
]; // biome-ignore format: a table

t.test('what is ambiguous is refused and the connection closed, and nothing of it reaches the front', async (t) => {
  for (const [what, bytes, status] of AMBIGUOUS) {
    front.seen.length = 0;
    const text = await raw(address, [Buffer.from(bytes + CLOSING, 'latin1')]);
    const isBody = /^(POST)/.test(bytes) && front.seen.length === 1 && status !== 417;
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*Connection: close\r\n`), what);
    t.equal(text.split('HTTP/1.1 ').length, 2, `${what}: one answer`);
    t.ok(front.seen.length === 0 || isBody, `${what}: not handled (${JSON.stringify(front.seen)})`);
    t.notMatch(text, /\[/, `${what}: nothing served`);
  }
});

t.test('the same behind a good request: that one is answered, the bad one refused, in order', async (t) => {
  for (const [what, bytes, status] of AMBIGUOUS) {
    const text = await raw(address, [Buffer.from(get('', '/good') + bytes + CLOSING, 'latin1')]);
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));
    t.same(statuses, [200, status], what);
    t.match(text, /\[GET \/good\]HTTP/, `${what}: whole`);
  }
});

t.test('a refused request is in the access log, with as much of its line as could be read', async (t) => {
  refused.length = 0;
  await raw(address, [`GET /seen?x HTTP/1.1\r\n${H}${H}\r\n`]);
  t.match(refused, [{ method: 'GET', target: '/seen?x', statusCode: 400, remoteAddress: '127.0.0.1' }]);
  refused.length = 0;
  await raw(address, ['garbage\r\n\r\n']);
  t.match(refused, [{ method: '-', target: '-', statusCode: 400, why: 'request-line' }]);
});

/** Bytes that are well formed, and what is answered to them. */
const GOOD: readonly (readonly [what: string, bytes: string, answers: readonly string[]])[] = [
  ['plain', CLOSING, ['[GET /last]']],
  ['two plain ones', get('', '/a') + CLOSING, ['[GET /a]', '[GET /last]']],
  ['a body', post('Content-Length: 3\r\n', 'abc') + CLOSING, ['[POST abc]', '[GET /last]']],
  ['a body of the limit', post('Content-Length: 1000\r\n', 'a'.repeat(1000)) + CLOSING, ['[POST a', '[GET /last]']],
  ['no body', post('Content-Length: 0\r\n', '') + CLOSING, ['[POST ]', '[GET /last]']],
  ['chunks', chunked('3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n') + CLOSING, ['[POST abcde]', '[GET /last]']],
  ['chunks with a trailer', chunked('003\r\nabc\r\n0\r\nX: y\r\n\r\n') + CLOSING, ['[POST abc]', '[GET /last]']],
  ['upper-case digits', chunked('A\r\n0123456789\r\n0\r\n\r\n') + CLOSING, ['[POST 0123456789]', '[GET /last]']],
  ['fast, slow, fast', get('', '/a') + post('Content-Length: 1\r\n', 'b') + get('', '/c') + CLOSING, ['[GET /a]', '[POST b]', '[GET /c]', '[GET /last]']],
  ['an empty line before', `\r\n${CLOSING}`, ['[GET /last]']],
  ['an empty line after a body', `${post('Content-Length: 3\r\n', 'abc')}\r\n${CLOSING}`, ['[POST abc]', '[GET /last]']],
  ['absolute-form', `GET http://X:80/abs?q HTTP/1.1\r\nHost: x:80\r\n\r\n${CLOSING}`, ['[GET /abs?q]', '[GET /last]']],
  ['absolute-form without a path', `GET http://x HTTP/1.1\r\n${H}\r\n${CLOSING}`, ['[GET /]', '[GET /last]']],
  ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${H}\r\n${CLOSING}`, ['[OPTIONS *]', '[GET /last]']],
  ['HTTP/1.0', `GET /old HTTP/1.0\r\n${H}\r\n`, ['[GET /old]']],
  ['HTTP/1.0 without Host', 'GET /old HTTP/1.0\r\n\r\n', ['[GET /old]']],
  ['HTTP/1.0 kept alive', `GET /old HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n${CLOSING}`, ['[GET /old]', '[GET /last]']],
  ['a GET with Content-Length: 0', get('Content-Length: 0\r\n', '/z') + CLOSING, ['[GET /z]', '[GET /last]']],
  ['an upgrade nobody allows', get('Connection: Upgrade\r\nUpgrade: websocket\r\n', '/ws') + CLOSING, ['[GET /ws]', '[GET /last]']],
  ['TE', get('TE: trailers\r\nConnection: TE\r\n', '/te') + CLOSING, ['[GET /te]', '[GET /last]']],
  ['HEAD', `HEAD /h HTTP/1.1\r\n${H}\r\n${CLOSING}`, ['[GET /last]']],
]; // biome-ignore format: a table

t.test('what is well formed is answered, whole, in order, wherever the bytes are cut', async (t) => {
  for (const [what, bytes, answers] of GOOD) {
    const cuts = [
      0,
      ...new Set(
        [1, 7, 16, 17, 18, 40, bytes.length - 30, bytes.length - 1].filter((cut) => cut > 0 && cut < bytes.length),
      ),
    ];
    for (const cut of cuts) {
      const text = await raw(address, cut === 0 ? [bytes] : [bytes.slice(0, cut), bytes.slice(cut)]);
      let at = 0;
      for (const answer of answers) {
        const found = text.indexOf(answer, at);
        if (found < at) t.fail(`${what} cut at ${cut}: no ${answer} in ${text}`);
        at = found;
      }
      t.equal(
        text.split('HTTP/1.1 200').length - 1,
        answers.length + (what === 'HEAD' ? 1 : 0),
        `${what}, cut at ${cut}`,
      );
    }
  }
});

t.test('Expect: 100-continue is answered before the body is sent', async (t) => {
  const text = await raw(address, [post('Expect: 100-continue\r\nContent-Length: 3\r\n', ''), 'abc', CLOSING]);
  t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [\s\S]*\[POST abc\]/);
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { writeDirect } from '../../../proxy/roads/direct-write.ts';

/** Both ends of a connection; the client does not read until it is told to. */
const pair = async (t: Test): Promise<{ server: Socket; client: Socket }> => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  client.pause();
  const [server] = (await once(listener, 'connection')) as [Socket];
  t.teardown(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  for (const socket of [client, server]) socket.on('error', () => {});
  return { server, client };
};

const never = () => t.fail('called back');

/** node's own write shows how its requests are made. */
const learned = async (server: Socket): Promise<void> => {
  const first = Buffer.from('1');
  if (writeDirect(server, first, never) === 'unable') await new Promise((done) => server.write(first, done));
};

t.test('until node has written once itself nothing is done, and then what is written leaves in order', async (t) => {
  const { server, client } = await pair(t);
  t.equal(writeDirect(server, Buffer.from('lost'), never), 'unable');
  server.write(Buffer.from('1 '));
  t.equal(writeDirect(server, Buffer.from('2 '), never), 'sent');
  server.write('3 ');
  t.equal(writeDirect(server, '4 ', never), 'sent');
  server.end('5');
  t.equal(writeDirect(server, Buffer.from('6 '), never), 'unable', 'an end is the end');
  let text = '';
  client.on('data', (chunk) => {
    text += chunk;
  });
  client.resume();
  await once(client, 'end');
  t.equal(text, '1 2 3 4 5');
});

t.test('what the kernel does not take is told of when it has, and what comes later comes behind it', async (t) => {
  const { server, client } = await pair(t);
  await learned(server);
  const large = Buffer.alloc(20_000_000, 'x');
  const taken = new Promise<boolean>((done) => t.equal(writeDirect(server, large, done), 'waiting'));
  t.equal(
    writeDirect(server, 'y', () => {}),
    'waiting',
    'its own request, since the first is in use',
  );
  server.end('z');
  let length = 0;
  let last = '';
  client.on('data', (chunk: Buffer) => {
    length += chunk.length;
    last = chunk.toString('latin1').slice(-2);
  });
  client.resume();
  t.equal(await taken, false, 'not lost');
  await once(client, 'end');
  t.equal(length, 1 + large.length + 2);
  t.equal(last, 'yz');
});

t.test('a connection that ends with bytes on their way says that they are lost', async (t) => {
  const { server, client } = await pair(t);
  await learned(server);
  const lost = new Promise<boolean>((done) => t.equal(writeDirect(server, Buffer.alloc(20_000_000), done), 'waiting'));
  client.resetAndDestroy();
  t.equal(await lost, true);
  await once(server, 'close');
  t.equal(writeDirect(server, Buffer.from('x'), never), 'unable');
});

t.test('what the stream holds back comes first', async (t) => {
  const { server } = await pair(t);
  await learned(server);
  server.cork();
  server.write('1');
  t.equal(writeDirect(server, Buffer.from('2'), never), 'unable');
  server.uncork();
});

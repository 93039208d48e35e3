import dgram from 'node:dgram';
import { once } from 'node:events';

/** A DNS server answering A queries from `answer`: addresses and lifetime, or undefined for SERVFAIL. */
export const nameserver = async (answer: () => { addresses: string[]; ttl: number } | undefined) => {
  const socket = dgram.createSocket('udp4');
  let asked = 0;
  socket.on('message', (query, peer) => {
    const type = query.readUInt16BE(query.length - 4 - (query.readUInt16BE(10) > 0 ? 11 : 0));
    const found = answer();
    if (type === 1) asked++;
    const addresses = type === 1 && found ? found.addresses : [];
    const questionEnd = query.indexOf(0, 12) + 5;
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(found ? 0x8180 : 0x8182, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(addresses.length, 6);
    head.writeUInt32BE(0, 8);
    const records = addresses.map((address) => {
      const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
      record.writeUInt32BE(found!.ttl, 6);
      return record;
    });
    socket.send(Buffer.concat([head, query.subarray(12, questionEnd), ...records]), peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { at: `127.0.0.1:${socket.address().port}`, asked: () => asked, close: () => void socket.close() };
};

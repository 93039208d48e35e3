import type { Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { type Certificates, type CertificatesContext, openCertificates, type TlsConfig } from './certificates.ts';

export interface TlsEdge {
  /** Takes a connection right after TCP (and the PROXY protocol); `secured` gets it when the handshake is done. */
  accept(socket: Socket, secured: (socket: TLSSocket) => void): void;
  readonly certificates: Certificates;
  close(): void;
}

/**
 * TLS 1.2 and 1.3 with SNI and ALPN. One server object without a listener of its own, so that one set of certificates serves
 * every listener. `handshakeMs` is how long a client may take from connecting to the end of the handshake, however many bytes
 * it sends meanwhile.
 */
export const openTls = (config: TlsConfig, handshakeMs: number, context: CertificatesContext): TlsEdge => {
  const certificates = openCertificates(config, context);
  const server = tls.createServer({
    ...certificates.standard,
    SNICallback: (servername, callback) => callback(null, certificates.contextFor(servername)),
    ALPNProtocols: config.http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    handshakeTimeout: handshakeMs,
  });
  // clients that name no server get the server's own context
  certificates.onReload(() => server.setSecureContext(certificates.standard));
  /** Connections whose handshake is under way. Bounded by limits.connections. */
  const handshakes = new Map<Socket, (socket: TLSSocket) => void>();
  server.on('secureConnection', (socket) => {
    // node says nowhere else which connection this one came from; without it nobody could be told its address
    const done = handshakes.get((socket as TLSSocket & { readonly _parent: Socket })._parent);
    if (done) done(socket);
    else socket.destroy();
  });
  // a scanner's plain HTTP, an old version, no protocol in common: nothing to tell anybody but the counter
  server.on('tlsClientError', (_error, socket) => {
    context.count('tls_handshake_failures');
    socket.destroy();
  });
  return {
    accept: (socket, secured) => {
      const timer = setTimeout(() => socket.destroy(), handshakeMs);
      timer.unref();
      const over = () => {
        clearTimeout(timer);
        handshakes.delete(socket);
      };
      socket.on('error', () => undefined).once('close', over);
      handshakes.set(socket, (secure) => {
        over();
        context.count('tls_handshakes');
        secured(secure);
      });
      server.emit('connection', socket);
    },
    certificates,
    close: () => {
      certificates.close();
      for (const socket of handshakes.keys()) socket.destroy();
    },
  };
};

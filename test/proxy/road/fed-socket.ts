import { Duplex } from 'node:stream';

/** Until all that is due in this turn of the event loop has happened. */
export const turn = () => new Promise<void>((next) => setImmediate(next));

/** A connection whose other end takes everything and says nothing. */
export const fedSocket = (): Duplex => new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });

/** Lets its reader have the pieces one by one, with time for each and for what they lead to; then it is gone. */
export const feed = async (socket: Duplex, pieces: readonly Buffer[]): Promise<void> => {
  for (const piece of pieces) {
    socket.push(piece);
    await turn();
  }
  for (let i = 0; i < 3; i++) await turn();
  socket.destroy();
};

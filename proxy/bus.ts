/** Plain values only: messages travel as JSON. */
export interface BusMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Word from worker to worker: what one sends, all others get, in order, or nobody when it dies. */
export interface Bus {
  send(message: BusMessage): void;
  onMessage(callback: (message: BusMessage) => void): void;
}

export interface Readiness {
  readonly workers: number;
  /** undefined: this service runs no origin of its own. */
  readonly origin: number | undefined;
  readonly isStopping: boolean;
}

export interface Health {
  /** The process answers: never restart it for what `ready` says. */
  readonly live: true;
  /** Send it traffic. */
  readonly ready: boolean;
  /** Why not, or what is amiss though it is. */
  readonly reasons: readonly string[];
  readonly workers: number;
}

/** An origin that is away does not make the front door unready: what is cached goes on being served. */
export const healthOf = ({ workers, origin, isStopping }: Readiness): Health => {
  const reasons = [
    ...(isStopping ? ['stopping'] : []),
    ...(workers === 0 ? ['no worker is ready'] : []),
    ...(origin === 0 ? ['the origin is not running'] : []),
  ];
  return { live: true, ready: !isStopping && workers > 0, reasons, workers };
};

import type { Config } from '../../config/schema.ts';
import type { BusMessage } from '../bus.ts';
import type { MetricsDelta } from '../metrics/metrics-delta.ts';

/** What the primary tells a child. */
export type ToChild =
  | { readonly type: 'start'; readonly config: Config; readonly place: Place; readonly ticketKeys: string | undefined }
  | { readonly type: 'reload'; readonly config: Config }
  | { readonly type: 'reopen' }
  /** Base64 of 48 bytes. */
  | { readonly type: 'tickets'; readonly keys: string }
  | { readonly type: 'company'; readonly of: number }
  | { readonly type: 'drain'; readonly deadlineMs: number; readonly idleMs: number }
  | { readonly type: 'bus'; readonly message: BusMessage }
  | { readonly type: 'ask'; readonly id: number; readonly what: string; readonly args: unknown };

/** What a child tells the primary. */
export type FromChild =
  | { readonly type: 'listening-for-start' }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'reloaded'; readonly reason: string | undefined }
  | { readonly type: 'leaving' }
  | { readonly type: 'bus'; readonly message: BusMessage }
  | { readonly type: 'delta'; readonly delta: MetricsDelta }
  | { readonly type: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: string };

/** Which of how many a child is. */
export interface Place {
  /** Counts every child ever forked, from 1: unique, and the name of the child in logs. */
  readonly serial: number;
  /** How many of its kind run, those that are being replaced included. */
  readonly of: number;
}

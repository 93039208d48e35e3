import type { Content } from '../content-uri.ts';

/** Text and colour to bytes. */
export interface Imaging {
  /** Throws ImagingError; a picture that is not ready after `patienceMs` is given up. */
  draw(content: Content, patienceMs: number): Promise<Buffer>;
  close(): Promise<void>;
}

export type ImagingCode = 'queue-full' | 'timeout' | 'worker' | 'remote-status' | 'remote-answer' | 'remote-refused';

export class ImagingError extends Error {
  override readonly name = 'ImagingError';
  readonly code: ImagingCode;
  constructor(code: ImagingCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

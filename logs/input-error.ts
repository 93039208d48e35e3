/** Something the user can put right; one line on stderr. Codes: 1 wrong input, 2 could not be done, 3 a `--fail-if` came true. */
export class InputError extends Error {
  readonly exitCode: 1 | 2 | 3;
  constructor(message: string, exitCode: 1 | 2 | 3 = 1) {
    super(message);
    this.name = 'InputError';
    this.exitCode = exitCode;
  }
}

import fc from 'fast-check';

export const HOSTILE = [
  '<script>alert(1)</script>', '"/><image href="x"/>', "' onload='x", '&lt;&#0;&nosuch;', ']]>', '<!--', '<![CDATA[', '\u0000\u0007\u001b[31m', '\ud800', '\udfff\ud800', '\ufffe\uffff',
  '\u202egnp.exe', '\u200b\u2066x\u2069', 'constructor', '__proto__', 'toString', 'hasOwnProperty', 'a\r\nb\tc', '  spaced   out  ', 'x'.repeat(100_000), '\u{1F600}'.repeat(1000), '%00%', '--__ -_-',
]; // biome-ignore format: a list

/** Whole Unicode, lone surrogates included. */
export const anyText = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
);

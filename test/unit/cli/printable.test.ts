/** Nothing that others wrote steers a terminal. */

import tap from 'tap';
import { printable, printableLines } from '#src/cli/printable.ts';

const EVIL = 'a\u001b[2J\r\n\u0007\u009b1m\u202eb\u2028\u007f';

tap.test('control characters, and those that turn text around, are escaped', async (t) => {
  t.equal(printable(EVIL), String.raw`a\u001b[2J\u000d\u000a\u0007\u009b1m\u202eb\u2028\u007f`);
  t.equal(printable('node ä × 8 … 日本'), 'node ä × 8 … 日本');
});

tap.test('JSON keeps its meaning', async (t) => {
  const json = printableLines(JSON.stringify({ name: EVIL }, null, 2));
  t.notMatch(json.replaceAll('\n', ''), /[\p{Cc}\u202e\u2028]/u);
  t.strictSame(JSON.parse(json), { name: EVIL });
});

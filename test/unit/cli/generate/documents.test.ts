/** YAML with comments. */

import tap from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { asYaml } from '#src/cli/generate/documents.ts';

tap.test('comments stay comments, whatever names hold', async (t) => {
  const text = asYaml([
    { comments: ['pool x\nkind: Secret'], value: { a: '0' } },
    { comments: [], value: { b: 'y'.repeat(200) } },
  ]);
  t.match(text, /^# pool x\\u000akind: Secret\na: "0"\n---\nb: y+\n$/);
  t.strictSame(
    parseAllDocuments(text).map((document) => document.toJS()),
    [{ a: '0' }, { b: 'y'.repeat(200) }],
  );
});

tap.test('what YAML 1.1 reads as something else is quoted: kubectl does', async (t) => {
  const names = ['on', 'no', 'yes', 'off', '0b1', '1_000', '12:30', 'null', '~', 'inference'];
  const text = asYaml([{ comments: [], value: { names } }]);
  t.strictSame(parse(text, { version: '1.1' }), { names });
  t.strictSame(parse(text, { version: '1.2' }), { names });
  t.notMatch(text, /%YAML/);
});

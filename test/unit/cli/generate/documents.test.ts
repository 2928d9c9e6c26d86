/** YAML with comments. */

import tap from 'tap';
import { parseAllDocuments } from 'yaml';
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

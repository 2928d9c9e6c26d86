/** The patch between two pods: what it holds, and that no pod is too large for it. */

import { applyPatch } from 'rfc6902';
import tap from 'tap';
import { patchOf } from '#src/webhook/patch.ts';
import { cpuMs } from '../../objects/cpu-time.ts';

const rows: readonly [says: string, before: unknown, after: unknown, ...operations: object[]][] = [
  ['nothing, where nothing changes', { list: [{ a: 1 }, [2]] }, { list: [{ a: 1 }, [2]] }],
  ['a field', { spec: {} }, { spec: { a: 1 } }, { op: 'add', path: '/spec/a', value: 1 }],
  ['a field within a list', [{}, { a: 1 }], [{}, { a: 2 }], { op: 'replace', path: '/1/a', value: 2 }],
  ['a list within a list', [[{ a: 1 }]], [[{}]], { op: 'remove', path: '/0/0/a' }],
  ['what stands at the end of a list', { l: ['a'] }, { l: ['a', 'b'] }, { op: 'add', path: '/l/-', value: 'b' }],
  ['a shorter list as a whole', { l: ['a', 'b'] }, { l: ['b'] }, { op: 'replace', path: '/l', value: ['b'] }],
  ['keys with slashes', [{ 'a/b~c': 1 }], [{}], { op: 'remove', path: '/0/a~1b~0c' }],
];
for (const [says, before, after, ...operations] of rows) {
  tap.test(`the patch holds ${says}`, async (t) => {
    const patch = patchOf(before, after);
    t.strictSame(patch, operations);
    const patched = structuredClone(before);
    applyPatch(patched, patch);
    t.strictSame(patched, after);
  });
}

tap.test('a variable more than 20,000 is one operation, and at once', async (t) => {
  const env = Array.from({ length: 20_000 }, (_, i) => ({ name: `E${i}`, value: 'v' }));
  const started = cpuMs();
  t.strictSame(patchOf({ env }, { env: [...env, { name: 'more' }] }), [
    { op: 'add', path: '/env/-', value: { name: 'more' } },
  ]);
  t.ok(cpuMs() - started < 2_000);
});

/** Which policy governs a pod: priority, then the more specific selector, then the name. */

import fc from 'fast-check';
import tap from 'tap';
import { byPrecedence, effectivePolicy } from '#src/core/admission/policies.ts';
import type { SharingPolicy } from '#src/core/admission/policy.ts';
import { equalTo } from '#src/core/label-selector.ts';
import { policy } from './make.ts';

const named = (name: string, more: Partial<SharingPolicy> = {}) => policy('mps', { name, ...more });
const names = (policies: readonly SharingPolicy[]) => policies.map(({ name }) => name);

tap.test('the order in which policies are asked', async (t) => {
  const one = equalTo({ app: 'web' });
  const two = equalTo({ app: 'web', tier: 'gpu' });
  const policies = [
    named('low', { priority: -5, podSelector: two }),
    named('b-plain'),
    named('a-plain'),
    named('one', { podSelector: one }),
    named('one-and-namespace', { podSelector: one, namespaceSelector: equalTo({ environment: 'staging' }) }),
    named('three', { podSelector: two, namespaceSelector: equalTo({ environment: 'staging' }) }),
    named('high', { priority: 7 }),
  ];
  t.strictSame(names(byPrecedence(policies)), [
    'high',
    'three',
    'one-and-namespace',
    'one',
    'a-plain',
    'b-plain',
    'low',
  ]);
});

tap.test('policies come in any order, and are left as they were', async () => {
  const small = fc.integer({ min: 0, max: 2 });
  const selector = (prefix: string) =>
    small.map((count) => equalTo(Object.fromEntries(Array.from({ length: count }, (_, i) => [prefix + i, 'x']))));
  const some = fc.uniqueArray(
    fc
      .record({ name: fc.string({ minLength: 1, maxLength: 3 }), priority: small, a: selector('p'), b: selector('n') })
      .map(({ name, priority, a, b }) => named(name, { priority, podSelector: a, namespaceSelector: b })),
    { selector: ({ name }) => name, maxLength: 8 },
  );
  const shuffled = some.chain((policies) =>
    fc.tuple(fc.constant(policies), fc.shuffledSubarray(policies, { minLength: policies.length })),
  );
  fc.assert(
    fc.property(shuffled, ([policies, others]) => {
      const before = names(policies);
      const same = names(byPrecedence(policies)).join() === names(byPrecedence(others)).join();
      return same && names(policies).join() === before.join();
    }),
  );
});

tap.test('a policy governs where both of its selectors hold', async (t) => {
  const both = named('both', {
    podSelector: equalTo({ app: 'web' }),
    namespaceSelector: equalTo({ environment: 'staging' }),
  });
  const governs = (labels: Record<string, string>, namespace: Record<string, string> | undefined) =>
    effectivePolicy([both], labels, namespace) !== undefined;
  t.equal(governs({ app: 'web' }, { environment: 'staging' }), true);
  t.equal(governs({ app: 'db' }, { environment: 'staging' }), false);
  t.equal(governs({ app: 'web' }, {}), false);
  t.equal(governs({ app: 'web' }, undefined), false);
  t.equal(governs({ app: 'web', environment: 'staging' }, {}), false, 'labels of the pod are none of its namespace');
});

tap.test('none governs where there is none', async (t) => t.equal(effectivePolicy([], {}, {}), undefined));

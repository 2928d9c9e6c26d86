/** Label selectors; that Kubernetes selects the same is proved in test/contract/label-selectors.test.ts. */

import fc from 'fast-check';
import tap from 'tap';
import { equalTo, type LabelSelector, type Labels, matches, type Requirement } from '#src/core/label-selector.ts';

const on = (operator: Requirement['operator'], ...values: string[]): LabelSelector => [{ key: 'k', operator, values }];
const NONE: Labels = {};
const has = (k: string): Labels => ({ k });

const rows: readonly [says: string, selector: LabelSelector, labels: Labels, matches: boolean][] = [
  ['an empty selector selects everything', [], NONE, true],
  ['In: one of them', on('In', 'a', 'b'), has('b'), true],
  ['In: another', on('In', 'a', 'b'), has('c'), false],
  ['In: missing', on('In', 'a'), NONE, false],
  ['In: an empty value is a value', on('In', ''), has(''), true],
  ['In: an empty value is not a missing label', on('In', ''), NONE, false],
  ['In of nothing', on('In'), has('a'), false],
  ['NotIn: another', on('NotIn', 'a'), has('b'), true],
  ['NotIn: one of them', on('NotIn', 'a', 'b'), has('b'), false],
  ['NotIn: missing', on('NotIn', 'a'), NONE, true],
  ['Exists', on('Exists'), has(''), true],
  ['Exists: missing', on('Exists'), NONE, false],
  ['DoesNotExist', on('DoesNotExist'), has(''), false],
  ['DoesNotExist: missing', on('DoesNotExist'), NONE, true],
  ['Gt: more', on('Gt', '5'), has('6'), true],
  ['Gt: as much', on('Gt', '5'), has('5'), false],
  ['Gt: compares numbers, not texts', on('Gt', '9'), has('10'), true],
  ['Gt: no number', on('Gt', '5'), has('many'), false],
  ['Gt: missing', on('Gt', '5'), NONE, false],
  ['Gt: than what is no number', on('Gt', 'few'), has('6'), false],
  ['Gt: than nothing', on('Gt'), has('6'), false],
  ['Gt: a fraction is no integer', on('Gt', '5'), has('6.5'), false],
  ['Lt: less', on('Lt', '5'), has('4'), true],
  ['Lt: as much', on('Lt', '5'), has('5'), false],
  ['Lt: more than a negative one is not', on('Lt', '-1'), has('0'), false],
  ['Lt: missing', on('Lt', '5'), NONE, false],
  ['all conditions must hold', [...on('Exists'), ...on('NotIn', 'a')], has('a'), false],
  ['labels that are none: constructor', [{ key: 'constructor', operator: 'Exists', values: [] }], NONE, false],
  ['labels that are none: __proto__', [{ key: '__proto__', operator: 'DoesNotExist', values: [] }], NONE, true],
];
for (const [says, selector, labels, expected] of rows) {
  tap.test(says, async (t) => t.equal(matches(selector, labels), expected));
}

tap.test('In and NotIn, Exists and DoesNotExist are opposites', async () => {
  const value = fc.constantFrom('', 'a', 'b');
  const labels = fc.option(value, { nil: undefined }).map((k) => (k === undefined ? NONE : has(k)));
  fc.assert(
    fc.property(labels, fc.array(value, { minLength: 1 }), (given, values) => {
      return (
        matches(on('In', ...values), given) !== matches(on('NotIn', ...values), given) &&
        matches(on('Exists'), given) !== matches(on('DoesNotExist'), given)
      );
    }),
  );
});

tap.test('equalTo: exactly these labels, and perhaps others', async (t) => {
  const selector = equalTo({ a: '1', b: '2' });
  t.equal(matches(selector, { a: '1', b: '2', c: '3' }), true);
  t.equal(matches(selector, { a: '1', b: '3' }), false);
  t.strictSame(equalTo({}), []);
});

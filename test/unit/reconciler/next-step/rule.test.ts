/** Rules in order. */

import tap from 'tap';
import { firstStep, type Rule } from '#src/reconciler/next-step/rule.ts';

tap.test('the first rule with an answer decides, and those after it are not asked', async (t) => {
  const asked: string[] = [];
  const rule =
    (name: string, from: number): Rule<number> =>
    (situation) => {
      asked.push(name);
      return situation >= from ? { do: 'nothing', phaseStatus: undefined, wakeMs: from } : undefined;
    };
  const rules = [rule('a', 3), rule('b', 2), rule('c', 1)];
  t.match(firstStep(rules, 2), { wakeMs: 2 });
  t.strictSame(asked, ['a', 'b']);
  t.equal(firstStep(rules, 0), undefined);
  t.equal(firstStep([], 3), undefined);
});

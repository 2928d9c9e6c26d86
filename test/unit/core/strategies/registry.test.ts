/** Strategies by the names that configuration uses. */

import tap from 'tap';
import { strategyByName, strategyNames } from '#src/core/strategies/registry.ts';

tap.test('the strategies of the specification are there, each once', async (t) => {
  for (const name of ['bestfit', 'firstfit', 'worstfit']) t.ok(strategyNames.includes(name), name);
  t.equal(new Set(strategyNames).size, strategyNames.length);
});

tap.test('a strategy is found by its name, in any case', async (t) => {
  for (const name of strategyNames) t.equal(strategyByName(name)?.name, name);
  for (const spelling of ['BestFit', 'BESTFIT', 'bestFit'])
    t.equal(strategyByName(spelling)?.name, 'bestfit', spelling);
});

tap.test('an unknown name finds none', async (t) => {
  for (const name of ['', 'best', 'best-fit', ' bestfit', 'random', 'constructor', '__proto__']) {
    t.equal(strategyByName(name), undefined, JSON.stringify(name));
  }
});

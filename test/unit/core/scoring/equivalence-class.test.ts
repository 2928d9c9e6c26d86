/** A remembered verdict is the verdict of now, whatever has happened in between. */

import fc from 'fast-check';
import tap from 'tap';
import { fit } from '#src/core/fit.ts';
import { Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { EquivalenceClass } from '#src/core/scoring/equivalence-class.ts';
import { LiveStrategy } from '#src/core/scoring/live-strategy.ts';
import { strategyByName, strategyNames } from '#src/core/strategies/registry.ts';
import { node, request, sharedNode } from '../../make.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const CLASSES = [request(WHOLE_GPU, 1), request(SHARED_GPU, 1), request(SHARED_GPU, 2), request(WHOLE_GPU, 8)];

type Step = (ledger: Ledger, live: LiveStrategy) => void;
const name = fc.constantFrom(...NAMES);
const uid = fc.nat({ max: 9 }).map(String);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(name, fc.integer({ min: 1, max: 3 })).map(
    ([name, cut]): Step =>
      (ledger) =>
        ledger.setNode(cut === 1 ? node({ name }) : sharedNode('timeslicing', cut, { name })),
  ),
  name.map(
    (name): Step =>
      (ledger) =>
        ledger.removeNode(name),
  ),
  fc.tuple(uid, name, fc.constantFrom(...CLASSES)).map(
    ([uid, on, { resources }]): Step =>
      (ledger) =>
        ledger.allocate({ uid, pod: uid, node: on, state: 'confirmed', resources }),
  ),
  uid.map(
    (uid): Step =>
      (ledger) =>
        ledger.release(uid),
  ),
  fc.constantFrom(...CLASSES).map(
    (what): Step =>
      (_ledger, live) => {
        for (let i = 0; i < 200; i += 1) live.observe(what);
        for (let i = 0; i < 60; i += 1) live.placed(what);
      },
  ),
);

for (const strategy of strategyNames.flatMap((each) => strategyByName(each) ?? [])) {
  tap.test(`${strategy.name}: verdicts and order are those of a table made anew`, async () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const ledger = new Ledger();
        const live = new LiveStrategy(strategy, ledger);
        const tables = CLASSES.map((what) => new EquivalenceClass(what, ledger, live));
        return steps.every((act) => {
          act(ledger, live);
          const nodes = NAMES.flatMap((each) => ledger.find(each) ?? []);
          return tables.every((table) => {
            const fresh = new EquivalenceClass(table.request, ledger, live);
            const same = nodes.every((each) => {
              const { inventory } = each;
              const free = (resource: string) => ledger.freeSlots(inventory?.name ?? '', resource);
              const verdict = fit(inventory, free, table.request);
              const text = verdict.fits ? undefined : `${verdict.code}: ${verdict.message}`;
              return table.refusalOf(each)?.text === text;
            });
            return same && String(table.best(nodes, 3).map(named)) === String(fresh.best(nodes, 3).map(named));
          });
        });
      }),
      { numRuns: 200 },
    );
  });
}

function named({ name }: { readonly name: string }): string {
  return name;
}

tap.test('only nodes that changed are judged again', async (t) => {
  const strategy = strategyByName('bestfit');
  if (!strategy) throw new Error('bestfit');
  const ledger = new Ledger();
  const names = Array.from({ length: 1_000 }, (_, i) => `node-${i}`);
  for (const name of names) ledger.setNode(node({ name }));
  const [what] = CLASSES;
  if (!what) throw new Error('no class');
  const table = new EquivalenceClass(what, ledger, new LiveStrategy(strategy, ledger));
  const nodes = names.flatMap((each) => ledger.find(each) ?? []);
  table.best(nodes, 1);
  t.equal(table.judgements, 1_000);
  table.best(nodes, 1);
  t.equal(table.judgements, 1_000);
  for (const on of ['node-3', 'node-7', 'node-7']) {
    ledger.allocate({
      uid: `${on} ${table.judgements}`,
      pod: 'p',
      node: on,
      state: 'reserved',
      resources: what.resources,
    });
  }
  table.best(nodes, 1);
  t.equal(table.judgements, 1_002);
});

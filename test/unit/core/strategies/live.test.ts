/** Strategies on a live ledger: each resource is a fleet of its own. */

import tap from 'tap';
import { Ledger } from '../../../../src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '../../../../src/core/resources.ts';
import { LiveStrategy } from '../../../../src/core/strategies/live.ts';
import { strategyByName } from '../../../../src/core/strategies/registry.ts';
import { node, request, sharedNode } from '../../make.ts';

function live(strategyName: string, ledger: Ledger): LiveStrategy {
  const strategy = strategyByName(strategyName);
  if (!strategy) throw new Error(strategyName);
  return new LiveStrategy(strategy, ledger);
}

function hold(ledger: Ledger, uid: string, on: string, resource: string, count: number): void {
  ledger.allocate({ uid, pod: uid, node: on, state: 'confirmed', resources: [{ resource, count }] });
}

tap.test('bestfit: the fullest node first, of those that offer the resource', async (t) => {
  const ledger = new Ledger();
  for (const name of ['a', 'b', 'c']) ledger.setNode(sharedNode('mps', 4, { name }));
  ledger.setNode(node({ name: 'whole' }));
  hold(ledger, 'one', 'b', SHARED_GPU, 3);
  hold(ledger, 'two', 'c', SHARED_GPU, 1);
  const ranked = live('bestfit', ledger).best(request(SHARED_GPU, 1), ['a', 'whole', 'b', 'c', 'unknown'], 10);
  t.strictSame(
    ranked.map((scored) => scored.node.name),
    ['b', 'c', 'a'],
  );
});

tap.test('fragmentation learns from what is asked for: whole nodes are kept for those who need them', async (t) => {
  const ledger = new Ledger();
  ledger.setNode(node({ name: 'whole' }));
  ledger.setNode(node({ name: 'begun', createdAt: 2_000 }));
  hold(ledger, 'one', 'begun', WHOLE_GPU, 1);
  const strategy = live('fragmentation', ledger);
  for (let i = 0; i < 300; i += 1) strategy.observe(request(WHOLE_GPU, i % 3 === 0 ? 8 : 1));
  const ranked = strategy.best(request(WHOLE_GPU, 1), ['whole', 'begun'], 10);
  t.equal(ranked[0]?.node.name, 'begun', 'though the other is older');
});

tap.test('a pod that asks for no GPU has no best node', async (t) => {
  const none = { resources: [], mode: undefined, slotMiB: undefined, slotMilli: undefined };
  t.strictSame(live('bestfit', new Ledger()).best(none, ['a'], 10), []);
});

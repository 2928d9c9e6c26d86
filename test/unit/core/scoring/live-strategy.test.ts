/** Strategies on a live ledger: each resource is a fleet of its own. */

import tap from 'tap';
import { Ledger } from '#src/core/ledger.ts';
import type { GpuRequest } from '#src/core/request.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { EquivalenceClass } from '#src/core/scoring/equivalence-class.ts';
import { LiveStrategy } from '#src/core/scoring/live-strategy.ts';
import { strategyByName } from '#src/core/strategies/registry.ts';
import { node, request, sharedNode } from '../../make.ts';

function live(strategyName: string, ledger: Ledger): LiveStrategy {
  const strategy = strategyByName(strategyName);
  if (!strategy) throw new Error(strategyName);
  return new LiveStrategy(strategy, ledger);
}

/** The names of the nodes, best first. */
function ranked(strategy: LiveStrategy, ledger: Ledger, what: GpuRequest, names: readonly string[]): string[] {
  const nodes = names.flatMap((name) => ledger.find(name) ?? []);
  return new EquivalenceClass(what, ledger, strategy).best(nodes, 10).map(({ name }) => name);
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
  const names = ['a', 'whole', 'b', 'c', 'unknown'];
  t.strictSame(ranked(live('bestfit', ledger), ledger, request(SHARED_GPU, 1), names), ['b', 'c', 'a']);
});

tap.test('fragmentation learns from what is asked for: whole nodes are kept for those who need them', async (t) => {
  const ledger = new Ledger();
  ledger.setNode(node({ name: 'whole' }));
  ledger.setNode(node({ name: 'begun', createdAt: 2_000 }));
  hold(ledger, 'one', 'begun', WHOLE_GPU, 1);
  const strategy = live('fragmentation', ledger);
  for (let i = 0; i < 300; i += 1) strategy.observe(request(WHOLE_GPU, i % 3 === 0 ? 8 : 1));
  const [first] = ranked(strategy, ledger, request(WHOLE_GPU, 1), ['whole', 'begun']);
  t.equal(first, 'begun', 'though the other is older');
});

tap.test('a pod that asks for no GPU has no best node', async (t) => {
  const none = { resources: [], mode: undefined, slotMiB: undefined, slotMilli: undefined };
  const ledger = new Ledger();
  ledger.setNode(node({ name: 'a' }));
  t.strictSame(ranked(live('bestfit', ledger), ledger, none, ['a']), []);
});

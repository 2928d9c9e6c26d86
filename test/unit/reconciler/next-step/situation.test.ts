/** What several rules ask of a situation. */

import tap from 'tap';
import { ageOfConfigs, blockers, isLost, nonEvictable } from '#src/reconciler/next-step/situation.ts';
import { ANYTHING } from '#src/state/gpu-pods.ts';
import { GPU, HALVES, holder, MIXED, MPS, observed, SEVEN, SEVENTHS, SHARED, settled, situation } from '../make.ts';

tap.test('a node is lost once it offers nothing of what it was told', async (t) => {
  t.notOk(isLost(observed()), 'it was told nothing');
  t.notOk(isLost(settled(MPS)));
  t.notOk(isLost(settled(MPS, {}, { allocatable: { [SHARED]: '8' } })), 'a GPU is unhealthy');
  t.ok(isLost(settled(MPS, {}, { allocatable: { [SHARED]: '0' } })));
  t.ok(isLost(settled(MPS, {}, { allocatable: { [GPU]: '2' } })), 'it offers something else');
});

tap.test('pods block a change of what they hold', async (t) => {
  const gpuPods = [holder('p', SEVENTHS), holder('q', HALVES), holder('r', ANYTHING)];
  const found = (from: typeof SEVEN, to: typeof SEVEN) =>
    blockers(situation(settled(from), undefined, { gpuPods }), to).map(({ name }) => name);
  t.strictSame(found(SEVEN, MPS), ['p', 'q', 'r'], 'a mode changes');
  t.strictSame(found(MIXED, { ...MIXED, layouts: [{ '1g.5gb': 7 }, { '2g.10gb': 3 }] }), ['q', 'r'], 'one GPU changes');
});

tap.test('pods that must not be evicted', async (t) => {
  const staying = holder('q', GPU, { nonEvictableReason: 'has no controller' });
  t.strictSame(nonEvictable([holder('p', GPU), staying]), [staying]);
});

tap.test('configurations are as old as the youngest, and no age at all where one is missing', async (t) => {
  const age = (plugin: number | undefined, mig: number | undefined, names: { plugin: string; mig?: string }) =>
    ageOfConfigs(situation(observed(), undefined, { age: (component) => ({ plugin, mig })[component] }), names);
  const both = { plugin: 'p', mig: 'm' };
  t.equal(age(2, 1, both), 1);
  t.equal(age(1, 2, both), 1);
  t.equal(age(undefined, 2, both), undefined);
  t.equal(age(1, undefined, both), undefined);
  t.equal(age(1, undefined, { plugin: 'p' }), 1, 'mig-manager is left alone');
});

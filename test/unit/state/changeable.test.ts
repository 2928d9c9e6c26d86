/** Whose a node's partition is to change: the planner's, or that of whoever configured it. */

import tap from 'tap';
import { isChangeable, whyOthersDecide } from '#src/state/changeable.ts';
import { nodeConfig } from '../../objects/node-configs.ts';
import { exclusiveNode, mpsNode } from '../../objects/nodes.ts';
import { nodeRecord } from '../../objects/records.ts';
import { nodeObject, TRANSITION } from '../reconciler/make.ts';

function observedOf(object: unknown) {
  const record = nodeRecord(object);
  if (!record) throw new Error('no GPU node');
  return record.observed;
}
const labelled = (labels: Readonly<Record<string, string>>) =>
  observedOf(exclusiveNode({ name: 'n', gpus: 2, labels }));
const offering = (name: string, count: string) => {
  const { metadata } = exclusiveNode({ name: 'n', gpus: 2 });
  return observedOf({ metadata, status: { allocatable: { 'nvidia.com/gpu': '2', [name]: count } } });
};
const byHand = nodeConfig({ nodeName: 'n', mpsEnabled: true });
const planned = nodeConfig(
  { nodeName: 'n', mpsEnabled: true },
  { labels: { 'gpu-autoscaler.io/managed-by': 'planner' } },
);

tap.test('a node that nobody has configured is the planner’s to change', async (t) => {
  t.equal(whyOthersDecide(labelled({}), undefined), undefined);
  t.equal(isChangeable(labelled({}), undefined), true);
  t.equal(isChangeable(labelled({}), planned), true);
  t.equal(
    isChangeable(labelled({ 'nvidia.com/mig.config': 'all-disabled' }), undefined),
    true,
    'what the GPU Operator writes by itself',
  );
});

tap.test('one that others have configured is not', async (t) => {
  const others: readonly [says: RegExp, observed: ReturnType<typeof observedOf>, config?: typeof byHand][] = [
    [/written by hand/, labelled({}), byHand],
    [
      /device plugin has a configuration that is not ours \(tesla\)/,
      labelled({ 'nvidia.com/device-plugin.config': 'tesla' }),
    ],
    [/mig-manager has a configuration .* not ours \(all-1g.5gb\)/, labelled({ 'nvidia.com/mig.config': 'all-1g.5gb' })],
    [/offers nvidia\.com\/gpu-large, which is not known to us/, offering('nvidia.com/gpu-large', '4')],
  ];
  for (const [says, observed, config] of others) {
    t.match(whyOthersDecide(observed, config), says);
    t.equal(isChangeable(observed, config), false);
  }
});

tap.test('names that stand for no GPU, or for none now, are no obstacle', async (t) => {
  for (const [name, count] of [
    ['nvidia.com/hostdev', '8'],
    ['nvidia.com/rdma_shared_device_a', '63'],
    ['nvidia.com/gpu-large', '0'],
    ['rdma/hca', '1'],
  ] as const) {
    t.equal(whyOthersDecide(offering(name, count), undefined), undefined, name);
  }
});

tap.test('how it is partitioned must be known', async (t) => {
  t.equal(isChangeable(observedOf(mpsNode({ name: 'n', gpus: 1, replicas: 4 })), undefined), false, 'shared by others');
  t.equal(
    isChangeable(
      observedOf({ metadata: { name: 'n' }, status: { allocatable: { 'nvidia.com/gpu': '2' } } }),
      undefined,
    ),
    false,
    'no labels',
  );
  t.equal(isChangeable(offering('nvidia.com/gpu', '0'), undefined), false, 'nothing is there');
  t.equal(
    isChangeable(observedOf(nodeObject({ annotations: { [TRANSITION]: 'rubbish' } })), undefined),
    true,
    'we change it ourselves',
  );
});

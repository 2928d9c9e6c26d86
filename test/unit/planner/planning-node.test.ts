/** A node as the planner sees it: what becomes of it, and what may be made of it by whom. */

import tap from 'tap';
import type { NodeConfig } from '#src/api/node-config.ts';
import { samePartition } from '#src/core/partitioning/partition.ts';
import { changesOf, MAX_CHANGES, planningNodeOf } from '#src/planner/planning-node.ts';
import { nodeConfig } from '../../objects/node-configs.ts';
import { exclusiveNode, T4 } from '../../objects/nodes.ts';
import { nodeRecord } from '../../objects/records.ts';
import {
  MPS,
  mark,
  nodeObject,
  PARTITION,
  SLICED,
  shown,
  TRANSITION,
  told,
  triggers,
  WHOLE,
} from '../reconciler/make.ts';
import { configurationOf, readyNode } from './make.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const MANAGED = { 'gpu-autoscaler.io/managed-by': 'planner' };

const configOf = (spec: object, metadata: object = { labels: MANAGED }) => nodeConfig(spec, { name: 'a', ...metadata });

interface Options {
  readonly config?: NodeConfig | undefined;
  readonly configuration?: ReturnType<typeof configurationOf>;
  readonly holdsUnknown?: boolean;
}

/** The node of that API object, which nobody holds. */
function planned(object: object, options: Options = {}) {
  const { config, configuration = configurationOf(), holdsUnknown = false } = options;
  const record = nodeRecord(object);
  if (!record?.inventory) throw new Error('no GPU node');
  const { inventory, labels, observed } = record;
  return planningNodeOf({ inventory, labels, observed, config, held: new Map(), holdsUnknown }, configuration, NOW);
}

tap.test('a node that nobody has touched', async (t) => {
  const node = planned(nodeObject());
  t.match(node, { partition: WHOLE, coming: undefined, cooldownMs: 0 });
  t.strictSame([...node.modes].sort(), ['exclusive', 'mig', 'mps', 'timeslicing']);
  for (const mode of node.modes) t.equal(node.onlyRecommend(mode), undefined);
});

tap.test('a node whose pods hold what we cannot count is left alone', async (t) => {
  t.match(planned(nodeObject(), { holdsUnknown: true }).onlyRecommend('mps'), /not known to us/);
});

tap.test('where cluster-autoscaler expects a whole GPU, one stays so', async (t) => {
  const labels = { 'k8s.amazonaws.com/accelerator': 'nvidia-tesla-t4' };
  const labelled = (gpus: number) => exclusiveNode({ name: 'a', gpus, labels });
  const two = planned(labelled(2));
  t.equal(two.keepsWholeGpu, true);
  t.strictSame([...two.modes], ['exclusive', 'mig'], 'sharing would be of all of them');
  t.strictSame([...planned(labelled(1)).modes], ['exclusive'], 'there is one alone');
  const configuration = configurationOf({ reconciler: { planner: { keepWholeGpu: false } } });
  t.equal(planned(labelled(2), { configuration }).modes.size, 4, 'unless it need not');
});

tap.test('what is under way is coming, whatever is wanted by now', async (t) => {
  const object = nodeObject({ annotations: { [TRANSITION]: JSON.stringify(mark(MPS)) } });
  const { coming, inventory } = planned(object, { config: configOf({ timeSlicingEnabled: true }) });
  t.ok(coming && samePartition(coming, MPS));
  t.ok(inventory.inTransition);
});

tap.test('what a GPUNodeConfig wants is coming, until it is there', async (t) => {
  const config = configOf({ timeSlicingEnabled: true, timeSlicingReplicas: 4 });
  const { coming, partition } = planned(nodeObject(), { config });
  t.ok(coming && samePartition(coming, SLICED));
  t.same(partition, WHOLE);
  const { labels, allocatable } = shown(SLICED);
  const record = told(SLICED);
  const there = planned(
    nodeObject({
      labels: { ...labels, ...triggers(record) },
      allocatable,
      annotations: { [PARTITION]: JSON.stringify(record) },
    }),
    { config },
  );
  t.equal(there.coming, undefined);
  t.same(there.partition, SLICED);
});

tap.test('what cannot be read, or cannot be made of such GPUs, is not coming', async (t) => {
  t.equal(planned(nodeObject(), { config: configOf({ timeSlicingReplicas: 'many' }) }).coming, undefined);
  const object = readyNode({ name: 'a', gpus: 1, gpu: T4 });
  t.equal(planned(object, { config: configOf({ migEnabled: true, migProfiles: ['1g.5gb'] }) }).coming, undefined);
});

tap.test('of what was given up, nobody knows how far it came, and it is not coming', async (t) => {
  const failed = { reason: 'MigFailed', message: 'it failed' };
  const object = nodeObject({ annotations: { [PARTITION]: JSON.stringify({ ...told(MPS), failed }) } });
  t.match(planned(object, { config: configOf({ mpsEnabled: true }) }), { partition: undefined, coming: undefined });
});

tap.test('a mark that is gone before the labels follow: the node offers what it was told', async (t) => {
  const state = 'pending';
  const { inventory, partition } = planned(nodeObject({ labels: { 'nvidia.com/mig.config.state': state } }));
  t.same(partition, WHOLE);
  t.notOk(inventory.inTransition);
});

const ALLOWED: readonly [what: string, sharing: object, modes: readonly string[]][] = [
  ['a mode that is off', { mps: { enabled: false } }, ['exclusive', 'mig', 'timeslicing']],
  ['a mode for other nodes', { timeSlicing: { nodeSelector: { pool: 'x' } } }, ['exclusive', 'mig', 'mps']],
];
for (const [what, sharing, modes] of ALLOWED) {
  tap.test(`${what} is not made`, async (t) => {
    t.strictSame([...planned(nodeObject(), { configuration: configurationOf({ sharing }) }).modes].sort(), modes);
  });
}

tap.test('GPUs without MIG are not cut', async (t) => {
  t.notOk(planned(readyNode({ name: 'a', gpus: 1, gpu: T4 })).modes.has('mig'));
});

const BY_HAND = configOf({ mpsEnabled: true }, {});
const FOREIGN = nodeObject({ labels: { 'nvidia.com/device-plugin.config': 'theirs' } });
const CUT = nodeObject({ labels: { 'nvidia.com/mig.config': 'all-1g.5gb' } });
const NOT_CUT = nodeObject({ labels: { 'nvidia.com/mig.config': 'all-disabled' } });
const OFF = configurationOf({ sharing: { mps: { autoConfig: false } } });
const RECOMMENDED: readonly [why: RegExp | undefined, node: object, options: Options][] = [
  [/reconciler.enabled is false/, nodeObject(), { configuration: configurationOf({ reconciler: { enabled: false } }) }],
  [/GPUNodeConfig a was written by hand/, nodeObject(), { config: BY_HAND }],
  [/the node's device plugin has a configuration that is not ours \(theirs\)/, FOREIGN, {}],
  [/mig-manager has a configuration of the node that is not ours \(all-1g\.5gb\)/, CUT, {}],
  [undefined, NOT_CUT, {}],
  [/sharing.mps.autoConfig is false/, nodeObject(), { configuration: OFF }],
  [undefined, nodeObject(), { config: configOf({ mpsEnabled: true }) }],
];
for (const [why, node, options] of RECOMMENDED) {
  tap.test(
    why ? `only recommended: ${why.source}` : 'changed: a node as the GPU Operator leaves it, or as the planner does',
    async (t) => {
      const answer = planned(node, options).onlyRecommend('mps');
      if (why) t.match(answer, why);
      else t.equal(answer, undefined);
    },
  );
}

tap.test('going back to whole GPUs needs no autoConfig', async (t) => {
  t.equal(planned(nodeObject(), { configuration: OFF }).onlyRecommend('exclusive'), undefined);
});

tap.test('it rests after its changes, by the times in its GPUNodeConfig', async (t) => {
  const changed = (times: string) =>
    configOf({}, { labels: MANAGED, annotations: { 'gpu-autoscaler.io/planned-at': times } });
  const resting = (times: string) => planned(nodeObject(), { config: changed(times) }).cooldownMs;
  t.equal(resting('2026-01-01T00:56:00Z'), 6 * 60_000);
  t.equal(resting('nonsense'), 0);
  t.equal(resting('2026-01-01T02:00:00Z'), 10 * 60_000, 'a time to come is now');
  const times = Array.from({ length: MAX_CHANGES + 1 }, () => '2026-01-01T00:00:00Z');
  t.equal(changesOf(changed(times.join())).length, MAX_CHANGES);
  t.strictSame(changesOf(undefined), []);
});

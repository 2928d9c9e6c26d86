/** A snapshot's pods in the slots and MIG instances that its nodes have, as the extender would place them. */

import tap from 'tap';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { runSlots, type SlotNode, type SlotPod } from '#src/core/simulation/slot-replay.ts';
import { strategyByName, strategyNames } from '#src/core/strategies/registry.ts';
import { node, request, sharedNode } from '../../make.ts';

const MIG_1G = 'nvidia.com/mig-1g.5gb';
const ROOM = { cpuMilli: 96_000, memoryMiB: 786_432 };
const whole = (name: string, gpus: number): SlotNode => ({
  inventory: node({ name, gpus, allocatable: new Map([[WHOLE_GPU, gpus]]) }),
  ...ROOM,
});
const mps = (name: string, gpus: number, more: Partial<SlotNode> = {}): SlotNode => ({
  inventory: sharedNode('mps', 4, { name, gpus }),
  ...ROOM,
  ...more,
});
const mig = (name: string, instances: number): SlotNode => ({
  inventory: node({ name, gpus: 1, allocatable: new Map([[MIG_1G, instances]]) }),
  ...ROOM,
});
const pod = (resource: string, count = 1, more: Partial<SlotPod> = {}): SlotPod => ({
  request: request(resource, count),
  cpuMilli: 1_000,
  memoryMiB: 1_024,
  ...more,
});

function run(nodes: readonly SlotNode[], pods: readonly SlotPod[], name = 'bestfit', ratio = 0.01) {
  const strategy = strategyByName(name);
  if (!strategy) throw new RangeError(name);
  return runSlots({ workload: { nodes, pods }, strategy, seed: 42, ratio }, () => 0);
}

tap.test('each pod takes the kind of slot that it asks for, and no other', async (t) => {
  const nodes = [whole('w', 2), mps('m', 1), mig('i', 7)];
  const { slots, failures, arrivals } = run(nodes, [pod(WHOLE_GPU), pod(SHARED_GPU), pod(MIG_1G), pod(MIG_1G)]);
  t.same([arrivals, failures], [4, 0]);
  t.match(slots, [
    { node: 'w', resource: WHOLE_GPU, mode: 'exclusive', slots: [1, 1], held: [1, 0] },
    { node: 'm', resource: SHARED_GPU, mode: 'mps', slots: [4], held: [1] },
    { node: 'i', resource: MIG_1G, mode: 'mig', slots: [7], held: [2] },
  ]);
});

tap.test('a pod whose slots are all held, too small, or of another mode finds no room', async (t) => {
  const five = Array.from({ length: 5 }, () => pod(SHARED_GPU));
  t.equal(run([mps('m', 1), whole('w', 4)], five).failures, 1, 'whole GPUs are free, but they are no slots');
  const large = { ...pod(SHARED_GPU), request: request(SHARED_GPU, 1, { slotMiB: 20_000 }) };
  t.equal(run([mps('m', 1)], [large]).failures, 1);
  const sliced = { ...pod(SHARED_GPU), request: request(SHARED_GPU, 1, { mode: 'timeslicing' }) };
  t.equal(run([mps('m', 1)], [sliced]).failures, 1);
});

tap.test('cpu and memory count as well', async (t) => {
  const two = [pod(SHARED_GPU), pod(SHARED_GPU)];
  t.equal(run([mps('m', 1, { cpuMilli: 1_500 })], two).failures, 1);
  t.equal(run([mps('m', 1, { memoryMiB: 1_500 })], two).failures, 1);
});

tap.test('strategies place as they say', async (t) => {
  const nodes = [mps('a', 1), mps('b', 1)];
  const pods = [pod(SHARED_GPU), pod(SHARED_GPU)];
  const held = (name: string) => run(nodes, pods, name).slots?.map((row) => row.held[0]);
  t.same(held('bestfit'), [2, 0]);
  t.same(held('worstfit'), [1, 1]);
});

tap.test('what is held, free and of no use adds up, whatever the strategy', async (t) => {
  const nodes = [whole('w', 4), mps('m', 2), mig('i', 7)];
  const pods = [pod(WHOLE_GPU), pod(SHARED_GPU), pod(SHARED_GPU)];
  for (const name of strategyNames) {
    const result = run(nodes, pods, name, 1.3);
    const last = result.curve.at(-1);
    t.ok(result.peakPercent <= 100, name);
    // Nobody asks for an instance: all of the GPU that is cut is of no use.
    t.ok((last?.fragmentedPercent ?? 0) >= (100 * 7 * 142) / 7_000, name);
    t.equal(result.gpuFree.length, nodes.length, name);
  }
});

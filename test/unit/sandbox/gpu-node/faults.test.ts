/** What goes wrong on purpose. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import {
  GPU,
  HALVES,
  MIG,
  offers,
  PLUGIN,
  runs,
  SEVENTHS,
  SHARED,
  STATE,
  said,
  slices,
  started,
  startedForMig,
  state,
  until,
} from './make.ts';

tap.test('migFails: true fails always, and everything is as before', async (t) => {
  const emulated = await startedForMig(t);
  emulated.node.faults.migFails = true;
  for (const [i, name] of ['seven', 'halves', 'again'].entries()) {
    emulated.label({ [MIG]: name });
    await runs(emulated, i + 1);
  }
  await offers(emulated, GPU, 2);
  t.strictSame(emulated.states, ['pending', 'failed', 'pending', 'failed', 'pending', 'failed']);
});

tap.test('migFails: 2 fails twice, then works', async (t) => {
  const emulated = await startedForMig(t);
  emulated.node.faults.migFails = 2;
  for (const [i, name] of ['seven', 'halves', 'again'].entries()) {
    emulated.label({ [MIG]: name });
    await runs(emulated, i + 1);
  }
  await offers(emulated, SEVENTHS, 14);
  t.strictSame(emulated.states, ['pending', 'failed', 'pending', 'failed', 'pending', 'success']);
  t.equal(emulated.node.faults.migFails, 0);
});

tap.test('migSticks: 2 sticks twice, true for ever', async (t) => {
  const emulated = await startedForMig(t);
  emulated.node.faults.migSticks = 2;
  emulated.label({ [MIG]: 'seven' });
  await said(emulated, /timed out/, 1);
  emulated.label({ [MIG]: 'halves' });
  await said(emulated, /timed out/, 2);
  t.strictSame(emulated.states, ['pending', 'pending']);
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'success');
  await offers(emulated, SEVENTHS, 14);

  emulated.node.faults.migSticks = true;
  emulated.label({ [MIG]: 'halves' });
  await said(emulated, /timed out/, 3);
  emulated.label({ [MIG]: 'off' });
  await said(emulated, /timed out/, 4);
  t.equal(emulated.node.faults.migSticks, true);
});

tap.test('migReboots: nothing is offered for the time; then everything is as after any run', async (t) => {
  const emulated = await startedForMig(t);
  emulated.node.faults.migReboots = true;
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'rebooting');
  t.same(emulated.allocatable, { [GPU]: '0' });
  t.equal(emulated.labels['nvidia.com/gpu.deploy.device-plugin'], 'paused-for-mig-change');
  await state(emulated, 'success');
  await offers(emulated, SEVENTHS, 14);
  await until('the labels follow', () => emulated.labels[`${SEVENTHS}.count`] === '14');
  t.strictSame(emulated.states, ['pending', 'rebooting', 'success']);
  t.match(emulated.node.gpus, [{ migEnabled: true, instances: { length: 7 } }, { instances: { length: 7 } }]);

  const plain = await startedForMig(t);
  plain.label({ [MIG]: 'seven' });
  await state(plain, 'success');
  await offers(plain, SEVENTHS, 14);
  await until('the labels follow', () => plain.labels[`${SEVENTHS}.count`] === '14');
  t.strictSame(emulated.labels, plain.labels);
  t.strictSame(emulated.allocatable, plain.allocatable);
});

tap.test('migReboots: a run that changes no mode needs none', async (t) => {
  const emulated = await startedForMig(t);
  emulated.label({ [MIG]: 'seven' });
  await state(emulated, 'success');
  emulated.node.faults.migReboots = true;
  emulated.label({ [MIG]: 'halves' });
  await runs(emulated, 2);
  await offers(emulated, HALVES, 4);
  t.notOk(emulated.states.includes('rebooting'));
});

tap.test('pluginIgnores: a change of the label is not seen, nor later; the next one is', async (t) => {
  const emulated = await started(t);
  Object.assign(emulated.volumes.plugin, { four: slices(4), two: slices(2) });
  emulated.node.faults.pluginIgnores = true;
  emulated.label({ [PLUGIN]: 'four' });
  await sleep(50);
  t.same(emulated.allocatable, { [GPU]: '2' });
  emulated.node.faults.pluginIgnores = false;
  emulated.label({ other: 'label' });
  await sleep(50);
  t.same(emulated.allocatable, { [GPU]: '2' });
  emulated.label({ [PLUGIN]: 'two' });
  await offers(emulated, SHARED, 4);
});

tap.test('pluginIgnores: a new pod reads the label all the same', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.four = slices(4);
  emulated.node.faults.pluginIgnores = true;
  emulated.label({ [PLUGIN]: 'four' });
  emulated.label({ 'nvidia.com/gpu.deploy.device-plugin': 'false' });
  await offers(emulated, GPU, 0);
  emulated.label({ 'nvidia.com/gpu.deploy.device-plugin': 'true' });
  await offers(emulated, SHARED, 8);
});

tap.test('featureDiscoveryAway: no labels, until the next run after it', async (t) => {
  const emulated = await started(t);
  emulated.volumes.plugin.four = slices(4);
  emulated.node.faults.featureDiscoveryAway = true;
  emulated.label({ [PLUGIN]: 'four' });
  await offers(emulated, SHARED, 8);
  await sleep(200);
  t.equal(emulated.labels['nvidia.com/gpu.replicas'], '1');
  emulated.node.faults.featureDiscoveryAway = false;
  await until('it labels', () => emulated.labels['nvidia.com/gpu.replicas'] === '4');
});

tap.test('featureDiscoveryAway from the start: labels come when it does', async (t) => {
  const { node, labels, allocatable } = await started(t, undefined, undefined, { featureDiscoveryAway: true });
  t.same(allocatable, { [GPU]: '2' });
  t.equal(labels['nvidia.com/gpu.count'], undefined);
  node.faults.featureDiscoveryAway = false;
  await until('it labels', () => labels['nvidia.com/gpu.count'] === '2');
  t.equal(labels[STATE], undefined);
});

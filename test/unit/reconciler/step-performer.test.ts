/** What a step writes, and what follows from it. */

import { Registry } from 'prom-client';
import tap from 'tap';
import { configurationSchema } from '#src/api/configuration.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { ConfigMapStoreError } from '#src/reconciler/config-map-store.ts';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';
import { migConfig, pluginConfig } from '#src/reconciler/named-config.ts';
import { reconcilerSettingsOf } from '#src/reconciler/settings.ts';
import type { Action, NodePatch, PhaseStatus, StepOf } from '#src/reconciler/step.ts';
import { StepPerformer } from '#src/reconciler/step-performer.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { nodeConfig } from '../../objects/node-configs.ts';
import { quietState } from '../../objects/records.ts';
import { FakeApi } from './fake-api.ts';
import { GPU, holder, MPS, mark, nodeObject, PRODUCT, SEVEN, TIMES, TRANSITION } from './make.ts';

const NODE = '/api/v1/nodes/a';
const SETTLE_MS = 100;
const STATUS: PhaseStatus = { phase: 'Configuring', reason: 'Marked', message: 'why' };
const WRITE: StepOf<'write-configs'> = {
  do: 'write-configs',
  plugin: pluginConfig(SEVEN, PRODUCT),
  mig: migConfig(SEVEN),
  phaseStatus: STATUS,
};

function patchStep(action: Action, patch: NodePatch = {}): StepOf<'patch'> {
  return { do: 'patch', action, patch, phaseStatus: STATUS };
}

/** Node a is known by its watch as the API server has it. */
function setUp(annotations: Record<string, string> = {}) {
  const api = new FakeApi();
  const state = quietState();
  const update = () => state.nodes.update(api.put(NODE, nodeObject({ annotations })));
  update();
  const metrics = reconcilerMetrics(new Registry(), () => ({ mpsClients: 0, virtualGpus: 0 }));
  const written: string[] = [];
  const events: string[] = [];
  const configMaps = {
    has: async () => true,
    add: async (...names: readonly ({ readonly name: string } | undefined)[]) => {
      for (const name of names) if (name) written.push(name.name);
    },
  };
  const performer = new StepPerformer({
    client: api,
    lease: { isHeld: true },
    state,
    configMaps,
    reports: { event: async (_, reason, message) => void events.push(`${reason}: ${message}`) },
    settings: () => reconcilerSettingsOf(configurationSchema.parse({})),
    log: createLogger('test', 'silent'),
    metrics,
    settleMs: SETTLE_MS,
  });
  return { api, state, metrics, configMaps, written, events, performer };
}

tap.test('nothing is nothing', async (t) => {
  const { api, performer } = setUp();
  t.strictSame(await performer.perform('a', undefined, { do: 'nothing', phaseStatus: STATUS, wakeMs: 5 }), {});
  t.strictSame(api.calls, []);
});

tap.test('configurations are written, and the node is looked at again', async (t) => {
  const { written, performer } = setUp();
  t.strictSame(await performer.perform('a', undefined, WRITE), { wakeMs: SETTLE_MS });
  t.strictSame(written, [WRITE.plugin.name, WRITE.mig?.name]);
});

tap.test('ConfigMaps that cannot be used are a status; what time cures is tried again', async (t) => {
  const cases: readonly [error: Error, annotations: Record<string, string>, phase: string][] = [
    [new ConfigMapStoreError('is full'), {}, 'Pending'],
    [new KubeError('is full', 403), {}, 'Pending'],
    [new KubeError('is full', 422), { [TRANSITION]: JSON.stringify(mark(SEVEN)) }, 'Configuring'],
  ];
  for (const [error, annotations, phase] of cases) {
    const { configMaps, performer } = setUp(annotations);
    configMaps.add = () => Promise.reject(error);
    t.strictSame(await performer.perform('a', undefined, WRITE), {
      wakeMs: TIMES.evict,
      phaseStatus: {
        phase,
        reason: 'ConfigMapUnusable',
        message: 'is full (ConfigMaps gpu-autoscaler-device-plugin and gpu-autoscaler-mig-parted in gpu-operator)',
      },
    });
  }
  for (const error of [new KubeError('is away'), new KubeError('is busy', 503), new Error('is a fault')]) {
    const { configMaps, performer } = setUp();
    configMaps.add = () => Promise.reject(error);
    await t.rejects(performer.perform('a', undefined, WRITE), error);
  }
});

tap.test('pods are evicted, and the first refusal is told', async (t) => {
  const { api, performer } = setUp();
  const pods = ['q', 'p', 'r'].map((name) => holder(name, GPU));
  api.faults.push({ on: /pods\/[pq]\/eviction$/, status: 429 }, { on: /pods\/[pq]\/eviction$/, status: 429 });
  const outcome = await performer.perform('a', undefined, { do: 'evict', pods, wakeMs: 5_000, phaseStatus: STATUS });
  t.strictSame(outcome, { addition: 'team/p: planned' });
  t.equal(api.count(/eviction$/), 3, 'a refusal keeps no other pod');
});

tap.test('a patch is one request, on the object that the step was found for', async (t) => {
  const { api, state, performer } = setUp();
  const patch: NodePatch = { labels: { x: 'y' }, annotations: { z: '1' }, unschedulable: true };
  t.strictSame(await performer.perform('a', undefined, patchStep('begin', patch)), {});
  t.match(api.get(NODE), { metadata: { labels: { x: 'y' }, annotations: { z: '1' } }, spec: { unschedulable: true } });
  t.equal(state.nodes.get('a')?.observed.cordoned, true, 'and known without waiting for the watch');
  api.put(NODE, nodeObject());
  const outdated = { isOutdated: true, wakeMs: 100 };
  t.strictSame(await performer.perform('a', undefined, patchStep('begin', patch)), outdated, 'it has changed');
  api.objects.delete(NODE);
  t.strictSame(await performer.perform('a', undefined, patchStep('begin', patch)), outdated, 'it is gone');
  api.faults.push({ on: /nodes/, status: 500 });
  await t.rejects(performer.perform('a', undefined, patchStep('begin', patch)), { message: 'planned' });
});

tap.test('names that are gone are not told: the node is looked at again', async (t) => {
  const { api, configMaps, performer } = setUp({ [TRANSITION]: JSON.stringify(mark(MPS)) });
  configMaps.has = async () => false;
  t.strictSame(await performer.perform('a', undefined, patchStep('apply')), { wakeMs: SETTLE_MS });
  t.strictSame(api.calls, []);
  await performer.perform('a', undefined, patchStep('abort'));
  t.equal(api.count(/^PATCH/), 1, 'nothing else needs them');
});

tap.test('a node that changes while its names are looked for is not told', async (t) => {
  const annotations = { [TRANSITION]: JSON.stringify(mark(MPS)) };
  const { api, state, configMaps, performer } = setUp(annotations);
  configMaps.has = async () => {
    state.nodes.update(api.put(NODE, nodeObject({ annotations, labels: { theirs: 'x' } })));
    return true;
  };
  t.match(await performer.perform('a', undefined, patchStep('apply')), { isOutdated: true });
});

tap.test('events and metrics of what was done', async (t) => {
  const cases: readonly [action: Action, event: string | undefined, result: string | undefined][] = [
    ['begin', 'PartitionChanging: why', undefined],
    ['retarget', undefined, undefined],
    ['adopt', undefined, undefined],
    ['apply', undefined, undefined],
    ['repair', 'PartitionRepaired: why', undefined],
    ['finish', 'PartitionReady: why', 'finished'],
    ['abort', 'PartitionPostponed: why', 'postponed'],
    ['fail', 'PartitionFailed: why', 'failed'],
  ];
  for (const [action, event, result] of cases) {
    const { metrics, events, performer } = setUp();
    await performer.perform('a', nodeConfig(), patchStep(action));
    t.strictSame(events, event === undefined ? [] : [event], action);
    const counted = (await metrics.transitions.get()).values.map(({ labels, value }) => [labels.result, value]);
    t.strictSame(counted, result === undefined ? [] : [[result, 1]], action);
    await performer.perform('a', undefined, patchStep(action));
    t.equal(events.length, event === undefined ? 0 : 1, `${action}: nobody wants it, nobody is told`);
  }
});

tap.test('a repair is counted by the reason that is recorded last', async (t) => {
  const repairs = ['MigFailed', 'PluginStuck'].map((reason) => ({ reason, message: 'late' }));
  const { metrics, performer } = setUp();
  const patch = { annotations: { [TRANSITION]: JSON.stringify(mark(MPS, { repairs })) } };
  await performer.perform('a', undefined, patchStep('repair', patch));
  t.match((await metrics.repairs.get()).values, [{ labels: { reason: 'PluginStuck' }, value: 1 }]);
});

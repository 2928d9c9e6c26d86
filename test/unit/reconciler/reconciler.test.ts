/** The whole of it on a fake API server: what it writes, when, and when it does not. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Registry } from 'prom-client';
import tap, { type Test } from 'tap';
import { configurationSchema } from '#src/api/configuration.ts';
import type { Partition } from '#src/core/partitioning/partition.ts';
import { type Clock, systemClock } from '#src/kube/clock.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { LeaseError } from '#src/kube/lease.ts';
import { reconcilerMetrics } from '#src/reconciler/metrics.ts';
import { Reconciler } from '#src/reconciler/reconciler.ts';
import { reconcilerSettingsOf } from '#src/reconciler/settings.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import { waitFor } from '../../cluster/wait.ts';
import { eventRecorder } from '../../objects/events.ts';
import { nodeConfigObject } from '../../objects/node-configs.ts';
import { storedPod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';
import { FakeApi } from './fake-api.ts';
import { MPS, type NodeParts, nodeObject, PARTITION, PLUGIN, pluginName, shown, TRANSITION, WHOLE } from './make.ts';

const NODES = '/api/v1/nodes';
const CONFIGS = '/apis/gpuautoscaler.io/v1alpha1/gpunodeconfigs';
const MINUTE = 60_000;
const STORES = { nodes: 'nodes', configs: 'nodeConfigs' } as const;

interface Status {
  readonly phase: string;
  readonly message: string;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
}

/** A reconciler whose clock can be moved on; told of every change of the API server's objects. */
async function setUp(t: Test, configuration: object = {}) {
  const api = new FakeApi();
  const clock = { ms: 1_000_000, asked: 0 };
  const state = quietState();
  const warnings: string[] = [];
  const log = createLogger('test', 'silent');
  log.warn = (...said: unknown[]) => void warnings.push(JSON.stringify(said));
  const lease = {
    isHeld: true,
    hold: () => (lease.isHeld ? undefined : Promise.reject(new LeaseError('another is at work'))),
  };
  let settings = reconcilerSettingsOf(configurationSchema.parse({ reconciler: configuration }));
  const time: Clock = {
    now: () => new Date('2026-01-01T00:00:00Z'),
    monotonic: () => {
      clock.asked += 1;
      return clock.ms + performance.now();
    },
    sleep: systemClock.sleep,
  };
  const failed = ({ message }: Error) => warnings.push(message);
  const reconciler = new Reconciler({
    client: api,
    events: eventRecorder(api, { clock: time, failed }),
    state,
    lease,
    settings: () => settings,
    log,
    metrics: reconcilerMetrics(new Registry(), () => reconciler.figures()),
    clock: time,
    settleMs: 1,
  });
  t.teardown(() => reconciler.stop());
  const path = (kind: 'nodes' | 'configs', name: string) => `${kind === 'nodes' ? NODES : CONFIGS}/${name}`;
  const put = (kind: 'nodes' | 'configs', object: { metadata: { name: string } }) =>
    state[STORES[kind]].update(api.put(path(kind, object.metadata.name), object));
  const is = {
    api,
    clock,
    state,
    lease,
    warnings,
    reconciler,
    configure: (change: object) => {
      settings = reconcilerSettingsOf(configurationSchema.parse({ reconciler: change }));
      reconciler.configured();
    },
    node: (name: string, parts: NodeParts = {}) => {
      const object = nodeObject(parts) as { metadata: object };
      put('nodes', { ...object, metadata: { ...object.metadata, name } });
    },
    /** As NVIDIA's components, once they have done what they were told. */
    shows: (name: string, partition: Partition) => {
      const before = api.get(path('nodes', name)) as { metadata: { labels: object } };
      const { labels, allocatable } = shown(partition);
      const metadata = { ...before.metadata, name, labels: { ...before.metadata.labels, ...labels } };
      put('nodes', { ...before, metadata, status: { allocatable } } as { metadata: { name: string } });
    },
    config: (
      name: string,
      nodeName: string,
      spec: object = { mpsEnabled: true, mpsMaxClients: 8 },
      more: object = {},
    ) =>
      put(
        'configs',
        nodeConfigObject(
          { nodeName, ...spec },
          { name, uid: name, creationTimestamp: '2026-01-01T00:00:00Z', ...more },
          api.get(path('configs', name))?.status,
        ),
      ),
    remove: (kind: 'nodes' | 'configs', name: string) => {
      const object = api.get(path(kind, name));
      api.objects.delete(path(kind, name));
      state[STORES[kind]].delete(object);
    },
    metadata: (name: string) =>
      api.get(path('nodes', name))?.metadata as { labels: Record<string, string>; annotations: Record<string, string> },
    status: (name: string) => api.get(path('configs', name))?.status as Status | undefined,
    events: () =>
      api.posted.filter(({ path }) => path.endsWith('/events')).map(({ body }) => `${body.type} ${body.reason}`),
    /** Config c is for node a, which is marked and waits for its configuration. */
    underWay: async () => {
      is.node('a');
      is.config('c', 'a');
      reconciler.begin();
      await is.says('c', 'Propagating');
    },
    /** Time goes by, and it looks at everything. */
    pass: (ms: number) => {
      clock.ms += ms;
      reconciler.configured();
    },
    reason: (name: string) => is.status(name)?.conditions.find(({ type }) => type === 'Ready')?.reason,
    says: (name: string, reason: string) => until(`${name} is ${reason}`, () => is.reason(name) === reason),
    isMarked: (name: string) => is.metadata(name).annotations?.[TRANSITION] !== undefined,
  };
  return is;
}

const until = (what: string, holds: () => boolean) => waitFor(what, holds, { everyMs: 1, timeoutMs: 5_000 });
/** Long enough for many runs of the loop. */
const aWhile = () => sleep(60);

/** One that holds a GPU, and may be evicted. */
const pod = (name: string, nodeName: string) =>
  storedPod({
    name,
    nodeName,
    gpus: 1,
    metadata: { ownerReferences: [{ kind: 'ReplicaSet', name: 'r', controller: true }] },
  });

tap.test('from the wish to the node that is so', async (t) => {
  const is = await setUp(t);
  await is.underWay();
  t.ok(is.isMarked('a'));
  t.match(is.api.get('/api/v1/namespaces/gpu-operator/configmaps/gpu-autoscaler-device-plugin'), {
    data: { [pluginName(MPS)]: /mps/ },
  });
  t.equal(is.metadata('a').labels[PLUGIN], undefined, 'kubelets do not have it yet');
  is.pass(90_000);
  await is.says('c', 'Registering');
  t.equal(is.metadata('a').labels[PLUGIN], pluginName(MPS));
  is.pass(10_000);
  is.shows('a', MPS);
  await is.says('c', 'Ready');
  t.notOk(is.isMarked('a'));
  t.match(is.status('c'), {
    phase: 'Ready',
    message: '2 GPUs by MPS, 8 clients each',
    mpsStatus: { enabled: true, maxClients: 8 },
  });
  t.strictSame(is.events(), ['Normal PartitionChanging', 'Normal PartitionReady']);
});

tap.test('at rest nothing is written, however often it looks', async (t) => {
  const is = await setUp(t);
  is.node('a', shown(MPS));
  is.config('c', 'a');
  is.reconciler.begin();
  await is.says('c', 'Ready');
  const writes = is.api.count(/^(PATCH|POST|PUT)/);
  for (let i = 0; i < 5; i += 1) {
    is.pass(MINUTE);
    is.node('a', { ...shown(MPS), labels: { ...shown(MPS).labels, heartbeat: String(i) } });
    await sleep(5);
  }
  t.equal(is.api.count(/^(PATCH|POST|PUT)/), writes);
  t.strictSame(is.warnings, []);
});

tap.test('somebody else was quicker: it is tried anew, on what is there then', async (t) => {
  const is = await setUp(t);
  is.node('a');
  is.config('c', 'a');
  let edits = 0;
  is.api.before = (call) => {
    if (call !== `PATCH ${NODES}/a` || edits > 0) return;
    edits += 1;
    // The watch is late: it is told of this only later.
    is.api.put(`${NODES}/a`, nodeObject({ labels: { theirs: 'x' } }));
  };
  is.reconciler.begin();
  await until('it is refused', () => is.api.count(/^PATCH .*nodes\/a$/) >= 1);
  await aWhile();
  t.notOk(is.isMarked('a'));
  is.state.nodes.update(is.api.get(`${NODES}/a`));
  is.pass(1_000);
  await is.says('c', 'Propagating');
  t.equal(is.metadata('a').labels.theirs, 'x');
  t.strictSame(is.warnings, [], 'that is nothing that anybody need hear of');
  t.ok(is.isMarked('a'));
});

tap.test('what is refused otherwise is tried again later, and keeps no other node from its turn', async (t) => {
  const is = await setUp(t, { maxInTransition: 5 });
  for (const name of ['a', 'b', 'c']) {
    is.node(name);
    is.config(`of-${name}`, name);
  }
  is.api.faults.push({ on: /^PATCH .*nodes\/a$/, status: 500 }, { on: /^PATCH .*of-b\/status/, status: undefined });
  is.reconciler.begin();
  await is.says('of-c', 'Propagating');
  await until('b is marked', () => is.isMarked('b'));
  t.notOk(is.isMarked('a'));
  is.pass(5_000);
  await is.says('of-a', 'Propagating');
  await is.says('of-b', 'Propagating');
});

tap.test('a node whose PATCH is never answered holds no other node back', async (t) => {
  const is = await setUp(t, { maxInTransition: 5 });
  const answer = Promise.withResolvers<void>();
  t.teardown(() => answer.resolve());
  is.api.before = (call) => (call === `PATCH ${NODES}/a` ? answer.promise : undefined);
  for (const name of ['a', 'b', 'c']) {
    is.node(name);
    is.config(`of-${name}`, name);
  }
  is.reconciler.begin();
  await until('a is asked for', () => is.api.count(/^PATCH .*nodes\/a$/) === 1);
  await is.says('of-b', 'Propagating');
  await is.says('of-c', 'Propagating');
  is.pass(MINUTE);
  await aWhile();
  t.equal(is.api.count(/^PATCH .*nodes\/a$/), 1, 'and is not asked for anew meanwhile');
  t.notOk(is.isMarked('a'));
  answer.resolve();
  await is.says('of-a', 'Propagating');
});

tap.test('only the leader writes', async (t) => {
  const is = await setUp(t);
  is.lease.isHeld = false;
  is.node('a');
  is.config('c', 'a');
  is.reconciler.begin();
  await aWhile();
  t.strictSame(is.api.calls, []);
  t.strictSame(is.warnings, []);
  is.lease.isHeld = true;
  is.pass(MINUTE);
  await is.says('c', 'Propagating');
});

tap.test('whoever loses the Lease on the way sends nothing more', async (t) => {
  const is = await setUp(t);
  is.node('a');
  is.config('c', 'a');
  is.api.before = (call) => {
    if (call.startsWith('GET')) is.lease.isHeld = false;
  };
  is.reconciler.begin();
  await until('it reads a ConfigMap', () => is.api.count(/^GET/) > 0);
  await aWhile();
  t.equal(is.api.count(/configmaps$/), 0);
  t.equal(is.api.count(/^(POST|PATCH)/), 0);
});

tap.test('of two configs for one node the older counts, and the other is told', async (t) => {
  const is = await setUp(t);
  is.node('a');
  is.config('old', 'a', {}, { creationTimestamp: '2025-01-01T00:00:00Z' });
  is.config('new', 'a');
  is.reconciler.begin();
  await is.says('new', 'Conflict');
  await is.says('old', 'Ready');
  t.match(is.status('new'), { phase: 'Failed', message: 'old is older and for the same node, a: delete one of them' });
  t.notOk(is.isMarked('a'));
  t.strictSame(is.events(), ['Warning Conflict']);
  is.remove('configs', 'old');
  await is.says('new', 'Propagating');
});

tap.test('what cannot be is told, with its code, once for each rule that stands against it', async (t) => {
  const is = await setUp(t);
  is.node('a');
  is.node('unlabelled', { labels: { 'nvidia.com/gpu.count': undefined } });
  is.config('nowhere', 'x');
  is.config('early', 'unlabelled');
  is.config('impossible', 'a', { migEnabled: true, migProfiles: ['1g.18gb'] });
  is.reconciler.begin();
  await is.says('nowhere', 'NoSuchNode');
  await is.says('early', 'NodeNotLabelled');
  await is.says('impossible', 'Rejected');
  t.match(is.status('impossible'), {
    phase: 'Failed',
    conditions: [
      { type: 'Rejected', status: 'True', reason: 'UnknownProfile' },
      { type: 'Ready', status: 'False' },
    ],
  });
  is.config('impossible', 'a', { mpsEnabled: 'yes' }, { generation: 2 });
  await until('it is invalid', () => is.status('impossible')?.conditions[0]?.reason === 'Invalid');
  is.pass(MINUTE);
  await aWhile();
  t.strictSame(is.events(), ['Warning Rejected', 'Warning Rejected']);
});

tap.test('switched off, nothing is changed', async (t) => {
  const is = await setUp(t, { enabled: false });
  is.node('a');
  is.config('c', 'a');
  is.reconciler.begin();
  await is.says('c', 'SwitchedOff');
  t.equal(is.api.count(/nodes|configmaps/), 0);
  is.configure({});
  await is.says('c', 'Propagating');
});

tap.test('switched off on the way: a node that was not told yet is given back', async (t) => {
  const is = await setUp(t);
  await is.underWay();
  t.ok(is.isMarked('a'));
  is.configure({ enabled: false });
  await until('it is given back', () => !is.isMarked('a'));
  await is.says('c', 'SwitchedOff');
});

tap.test('only so many nodes at once, and the next as soon as one is done, or gone', async (t) => {
  const is = await setUp(t, { maxInTransition: 1 });
  for (const name of ['a', 'b', 'c']) {
    is.node(name);
    is.config(`of-${name}`, name);
  }
  is.reconciler.begin();
  const marked = () => ['a', 'b', 'c'].filter((name) => is.api.get(`${NODES}/${name}`) && is.isMarked(name));
  await until(
    'one has begun, and two wait',
    () => ['a', 'b', 'c'].filter((name) => is.reason(`of-${name}`) === 'Queued').length === 2,
  );
  await aWhile();
  const [first = ''] = marked();
  t.equal(marked().length, 1);
  is.remove('nodes', first);
  await until('another has begun', () => marked().length === 1);
  await aWhile();
  const [second = ''] = marked();
  is.remove('configs', `of-${second}`);
  await until('and the last', () => marked().length === 1 && marked()[0] !== second);
});

tap.test('a node that could not begin after all makes room for the next', async (t) => {
  const is = await setUp(t, { maxInTransition: 1 });
  for (const name of ['a', 'b', 'c']) is.node(name);
  is.config('of-c', 'c');
  is.reconciler.begin();
  await is.says('of-c', 'Propagating');
  for (const name of ['a', 'b']) is.config(`of-${name}`, name);
  await is.says('of-a', 'Queued');
  await is.says('of-b', 'Queued');
  await aWhile();
  is.api.before = (call) => {
    // While it is about to be marked the other is told to wait, as it was before; and nobody wants this one any more.
    if (call === `PATCH ${NODES}/a`) is.remove('configs', 'of-a');
  };
  is.api.faults.push({ on: /^PATCH .*nodes\/a$/, status: 500 });
  is.remove('configs', 'of-c');
  await until('the other has begun', () => is.isMarked('b'));
  t.notOk(is.isMarked('a'));
});

tap.test('a ConfigMap that cannot be used is told of', async (t) => {
  const is = await setUp(t);
  const path = '/api/v1/namespaces/gpu-operator/configmaps/gpu-autoscaler-mig-parted';
  is.api.put(path, { metadata: { name: 'gpu-autoscaler-mig-parted' }, data: { 'config.yaml': 'nonsense' } });
  is.node('a');
  is.config('c', 'a', { migEnabled: true });
  is.reconciler.begin();
  await is.says('c', 'ConfigMapUnusable');
  t.match(is.status('c'), { phase: 'Pending', message: /is no configuration of mig-parted: mend or empty it/ });
  t.notOk(is.isMarked('a'), 'pods may go on using the node');
  is.api.put(path, { metadata: { name: 'gpu-autoscaler-mig-parted' }, data: {} });
  is.pass(5_000);
  await is.says('c', 'Propagating');
});

tap.test(
  'a ConfigMap that the API server refuses is told of, in its words, and the node stays with its pods',
  async (t) => {
    const is = await setUp(t);
    is.node('a');
    is.config('c', 'a');
    is.api.before = (call) => {
      if (/^(POST|PATCH).*configmaps/.test(call))
        throw new KubeError('field is immutable when `immutable` is set', 422);
    };
    is.reconciler.begin();
    await is.says('c', 'ConfigMapUnusable');
    t.match(is.status('c')?.message, /field is immutable .*gpu-autoscaler-device-plugin .* in gpu-operator/);
    t.notOk(is.isMarked('a'));
    is.api.before = () => {};
    is.pass(5_000);
    await is.says('c', 'Propagating');
  },
);

tap.test('names that somebody has taken away since are written again before the node is told', async (t) => {
  const is = await setUp(t);
  await is.underWay();
  const path = '/api/v1/namespaces/gpu-operator/configmaps/gpu-autoscaler-device-plugin';
  is.api.objects.delete(path);
  is.pass(2 * MINUTE);
  await until('they are there again', () => is.api.get(path) !== undefined);
  t.equal(is.metadata('a').labels['nvidia.com/device-plugin.config'], undefined, 'not told before they have spread');
  is.pass(2 * MINUTE);
  await until('it is told', () => is.metadata('a').labels['nvidia.com/device-plugin.config'] !== undefined);
});

tap.test('pods are evicted, and only those of nodes that somebody wants something of are looked at', async (t) => {
  const is = await setUp(t);
  is.node('a');
  is.node('b');
  is.state.pods.update(pod('p', 'a'));
  is.state.pods.update(pod('q', 'b'));
  is.config('c', 'a', { mpsEnabled: true, mpsMaxClients: 8, whenBusy: 'Drain' });
  is.reconciler.begin();
  await is.says('c', 'Draining');
  t.match(is.api.get(`${NODES}/a`), { spec: { unschedulable: true } });
  const evictions = is.api.posted.filter(({ path }) => path.endsWith('/eviction'));
  t.strictSame(
    evictions.map(({ path }) => path),
    ['/api/v1/namespaces/team/pods/p/eviction'],
  );
  t.match(evictions[0]?.body, { kind: 'Eviction', deleteOptions: { preconditions: { uid: 'p' } } });
  is.state.pods.delete(pod('p', 'a'));
  await is.says('c', 'Propagating');
  is.remove('configs', 'c');
  await until('the node is given back', () => !is.isMarked('a'));
  t.notMatch(is.api.get(`${NODES}/a`), { spec: { unschedulable: true } });
});

tap.test('a drain that was given up is not begun again for the same spec', async (t) => {
  const is = await setUp(t);
  const spec = { mpsEnabled: true, mpsMaxClients: 8, whenBusy: 'Drain', drainTimeoutSeconds: 60 };
  is.node('a');
  is.state.pods.update(pod('p', 'a'));
  is.config('c', 'a', spec);
  is.reconciler.begin();
  await is.says('c', 'Draining');
  is.pass(MINUTE);
  await is.says('c', 'DrainTimeout');
  t.notOk(is.isMarked('a'));
  is.pass(MINUTE);
  await aWhile();
  t.notOk(is.isMarked('a'));
  t.equal(is.reason('c'), 'DrainTimeout');
  is.config('c', 'a', { ...spec, drainTimeoutSeconds: 120 }, { generation: 2 });
  await is.says('c', 'Draining');
  t.ok(is.isMarked('a'));
});

tap.test('after a restart it goes on where it was', async (t) => {
  const is = await setUp(t);
  const record = {
    config: 'c',
    generation: 1,
    plugin: pluginName(MPS),
    partition: { layouts: [null, null], sharing: MPS.sharing },
  };
  is.node('a', {
    ...shown(MPS),
    labels: { ...shown(MPS).labels, [PLUGIN]: record.plugin },
    annotations: { [PARTITION]: JSON.stringify(record), [TRANSITION]: JSON.stringify(record) },
  });
  is.reconciler.begin();
  await until('it has looked', () => is.clock.asked > 0);
  await aWhile();
  t.ok(is.isMarked('a'), 'it has only just come');
  is.clock.ms += 6_000;
  is.node('a', {
    ...shown(MPS),
    labels: { ...shown(MPS).labels, [PLUGIN]: record.plugin, moves: 'x' },
    annotations: { [PARTITION]: JSON.stringify(record), [TRANSITION]: JSON.stringify(record) },
    cordoned: true,
  });
  await until('it is finished, though nobody wants it any more', () => !is.isMarked('a'));
});

tap.test('a node that nobody wants anything of any more is forgotten: nothing turns in circles', async (t) => {
  const is = await setUp(t);
  await is.underWay();
  is.remove('nodes', 'a');
  await is.says('c', 'NoSuchNode');
  is.node('a');
  await is.says('c', 'Propagating');
  is.remove('configs', 'c');
  is.remove('nodes', 'a');
  is.clock.ms += 60 * MINUTE - 1;
  is.node('b');
  await aWhile();
  const { asked } = is.clock;
  await sleep(200);
  t.ok(is.clock.asked - asked < 5, `the clock was asked ${is.clock.asked - asked} times in 200 ms`);
});

tap.test('the partition that the plugin had before is no reason to write', async (t) => {
  const is = await setUp(t);
  is.node('a', shown(WHOLE));
  is.config('c', 'a', {});
  is.reconciler.begin();
  await is.says('c', 'Ready');
  t.equal(is.api.count(/nodes\/a$/), 0);
});

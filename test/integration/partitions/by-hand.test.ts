/** GPUNodeConfigs that people write, on emulated nodes behind a real API server, with kubectl where users type it. */

import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import tap from 'tap';
import { NODE_CONFIGS } from '#src/api/custom-resources.ts';
import { createCustom } from '../../cluster/custom-resources.ts';
import { A100 } from '../../cluster/emulated.ts';
import { eventsOf } from '../../cluster/events.ts';
import { stackFor } from '../../cluster/for-test.ts';
import {
  comesTo,
  deleteConfig,
  isMarked,
  labelNode,
  patchConfig,
  readConfig,
  readNode,
  reasonOf,
} from '../../cluster/node-configs.ts';
import { createPod, deletePod, findPod, listPods, nodeOf, refusalOf } from '../../cluster/pods.ts';
import { waitFor } from '../../cluster/wait.ts';
import { gpuPod } from '../../objects/pods.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../../examples/phase2');
const NODES = ['gpu-node-01', 'gpu-node-02', 'busy', 'drained', 'edited', 'rejected', 'moved'];

tap.test('GPUNodeConfigs by hand', async (t) => {
  const stack = await stackFor(t, {
    controller: true,
    webhook: false,
    controllers: true,
    fleet: {
      speed: 60,
      nodes: NODES.map((name) => ({ name, ...A100 })),
      configuration: { reconciler: { maxInTransition: '100%', migDeadline: '3m', pluginDeadline: '90s' } },
    },
  });
  if (!stack?.fleet) return;
  const { cluster, fleet } = stack;
  const { client } = cluster;
  const kubectl = async (...args: string[]) => {
    const { stdout } = await promisify(execFile)('kubectl', ['--kubeconfig', cluster.kubeconfigFile, ...args]);
    return stdout;
  };
  const apply = (name: string, spec: object) => createCustom(client, NODE_CONFIGS, name, spec);
  const slot = (name: string, node: string, resource = 'nvidia.com/gpu.shared', more: object = {}) =>
    gpuPod({ name, resources: { [resource]: 1 }, spec: { nodeSelector: { 'kubernetes.io/hostname': node } }, ...more });

  await t.test("the specification's example, as printed", async (t) => {
    await kubectl('apply', '-f', `${EXAMPLES}/gpu-node-config.yaml`);
    const { status } = await comesTo(client, 'gpu-node-01-config', 'Ready');
    t.match(status, {
      phase: 'Ready',
      migStatus: { enabled: true, configuredProfiles: ['1g.5gb', '2g.10gb'], availableDevices: 4 },
      mpsStatus: { enabled: false },
      timeSlicingStatus: { enabled: false },
    });
    t.match((await readNode(client, 'gpu-node-01')).status.allocatable, {
      'nvidia.com/mig-1g.5gb': '2',
      'nvidia.com/mig-2g.10gb': '2',
    });
    t.match(
      await kubectl('get', 'gpunodeconfigs'),
      /^gpu-node-01-config +gpu-node-01 +Ready +true +false +false +\d+s$/m,
    );
    const events = await eventsOf(client, 'gpu-node-01-config');
    t.match(
      events.map(({ reason }) => reason),
      ['PartitionChanging', 'PartitionReady'],
    );
  });

  await t.test("MPS: the specification's jsonpath counts the clients that are bound", async (t) => {
    await apply('gpu-node-02-config', { nodeName: 'gpu-node-02', mpsEnabled: true });
    await comesTo(client, 'gpu-node-02-config', 'Ready');
    for (let i = 1; i <= 8; i += 1) await createPod(client, slot(`client-${i}`, 'gpu-node-02'));
    const mpsStatus = async () =>
      JSON.parse(await kubectl('get', 'gpunodeconfig', 'gpu-node-02-config', '-o', 'jsonpath={.status.mpsStatus}'));
    await waitFor('all clients are counted', async () => (await mpsStatus()).activeClients === 8);
    t.strictSame(await mpsStatus(), { enabled: true, activeClients: 8, maxClients: 16 });
  });

  await t.test('what NVIDIA cannot do is rejected, and the rule is named', async (t) => {
    await apply('rejected', { nodeName: 'rejected', migEnabled: true, migProfiles: ['1g.10gb', '3g.40gb'] });
    const config = await comesTo(client, 'rejected', 'Rejected');
    t.equal(config.status?.phase, 'Failed');
    t.equal(reasonOf(config, 'Rejected'), 'UnknownProfile');
    t.match(config.status?.message, /NVIDIA-A100-SXM4-40GB has no MIG profile 3g\.40gb: it has 1g\.5gb/);
    await patchConfig(client, 'rejected', { migProfiles: ['3g.20gb', '2g.10gb', '1g.10gb', '1g.10gb'] });
    await waitFor(
      'the other rule',
      async () => reasonOf(await readConfig(client, 'rejected'), 'Rejected') === 'ImpossibleLayout',
    );
    t.match(
      (await readNode(client, 'rejected')).metadata.labels,
      { 'nvidia.com/device-plugin.config': undefined },
      'untouched',
    );
    await patchConfig(client, 'rejected', { migProfiles: ['3g.20gb', '3g.20gb'] });
    await comesTo(client, 'rejected', 'Ready');
  });

  await t.test('two for one node: the older one counts', async (t) => {
    await apply('second', { nodeName: 'gpu-node-01', timeSlicingEnabled: true });
    t.match((await comesTo(client, 'second', 'Conflict')).status?.message, /gpu-node-01-config is older/);
    await deleteConfig(client, 'second');
  });

  await t.test('a node that is not there', async (t) => {
    await apply('nowhere', { nodeName: 'nowhere', mpsEnabled: true });
    t.equal((await comesTo(client, 'nowhere', 'NoSuchNode')).status?.phase, 'Pending');
  });

  await t.test('a busy node waits, says for whom, and changes when they are gone', async (t) => {
    await createPod(client, slot('tenant', 'busy', 'nvidia.com/gpu'));
    t.equal(await nodeOf(client, 'tenant'), 'busy');
    await waitFor('it runs', async () => (await findPod(client, 'tenant'))?.status.phase === 'Running');
    await apply('busy', { nodeName: 'busy', timeSlicingEnabled: true });
    const waiting = await comesTo(client, 'busy', 'Busy');
    t.equal(waiting.status?.phase, 'Pending');
    t.match(waiting.status?.message, /default\/tenant/);
    t.notOk(isMarked(await readNode(client, 'busy')));
    t.equal((await findPod(client, 'tenant'))?.status.phase, 'Running', 'nobody is harmed');
    await deletePod(client, 'tenant');
    await comesTo(client, 'busy', 'Ready');
    t.match((await readConfig(client, 'busy')).status?.timeSlicingStatus, {
      enabled: true,
      physicalGPUs: 2,
      virtualGPUs: 8,
      replicasPerGPU: 4,
    });
  });

  await t.test('while it changes nobody is placed there, and whoever waits comes in right after', async (t) => {
    await patchConfig(client, 'busy', { timeSlicingReplicas: 2 });
    await waitFor('it is marked', async () => isMarked(await readNode(client, 'busy')));
    await createPod(client, slot('early', 'busy'));
    t.match(
      await refusalOf(client, 'early'),
      /the partitions of the GPUs are being changed|Insufficient nvidia\.com\/gpu\.shared/,
    );
    await comesTo(client, 'busy', 'Ready');
    t.equal(await nodeOf(client, 'early'), 'busy');
    await waitFor('it runs', async () => (await findPod(client, 'early'))?.status.phase === 'Running');
    await deletePod(client, 'early');
  });

  await t.test(
    'Drain: evicts as far as a PodDisruptionBudget allows, gives back after the deadline, tries no bare pods',
    async (t) => {
      const labels = { app: 'served' };
      const template = slot('x', 'drained', 'nvidia.com/gpu', { labels });
      await client.json('POST', '/apis/apps/v1/namespaces/default/replicasets', {
        body: {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: { name: 'served' },
          spec: {
            replicas: 1,
            selector: { matchLabels: labels },
            template: { metadata: { labels }, spec: template.spec },
          },
        },
      });
      const served = async () => (await listPods(client)).filter(({ metadata }) => metadata.labels.app === 'served');
      await waitFor('it runs', async () => (await served()).some(({ status }) => status.phase === 'Running'));
      const budget = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
      await client.json('POST', budget, {
        body: { metadata: { name: 'served' }, spec: { minAvailable: 1, selector: { matchLabels: labels } } },
      });
      await apply('drained', { nodeName: 'drained', mpsEnabled: true, whenBusy: 'Drain', drainTimeoutSeconds: 10 });
      await comesTo(client, 'drained', 'Draining');
      t.equal((await readNode(client, 'drained')).spec.unschedulable, true, 'cordoned');
      const [pod] = await served();
      const given = await comesTo(client, 'drained', 'DrainTimeout');
      t.equal(given.status?.phase, 'Failed');
      const after = await readNode(client, 'drained');
      t.equal(after.spec.unschedulable, undefined, 'the cordon is taken back');
      t.notOk(isMarked(after));
      t.equal((await served())[0]?.metadata.uid, pod?.metadata.uid, 'the budget was heeded');

      await client.json('DELETE', `${budget}/served`);
      await waitFor('it is evicted', async () => (await served())[0]?.metadata.uid !== pod?.metadata.uid, {
        timeoutMs: 60_000,
      });
      await comesTo(client, 'drained', 'Ready');
      t.equal((await readNode(client, 'drained')).spec.unschedulable, undefined);
      await client.json('DELETE', '/apis/apps/v1/namespaces/default/replicasets/served');

      await createPod(client, slot('bare', 'drained'));
      await nodeOf(client, 'bare');
      await patchConfig(client, 'drained', { mpsMaxClients: 4 });
      t.match((await comesTo(client, 'drained', 'CannotDrain')).status?.message, /default\/bare has no controller/);
      t.equal((await readNode(client, 'drained')).spec.unschedulable, undefined, 'not even cordoned');
    },
  );

  await t.test('a label that somebody else sets is told, not fought over; a changed spec takes over', async (t) => {
    await apply('edited', { nodeName: 'edited', timeSlicingEnabled: true });
    await comesTo(client, 'edited', 'Ready');
    await labelNode(client, 'edited', { 'nvidia.com/device-plugin.config': 'theirs' });
    const config = await comesTo(client, 'edited', 'ForeignEdit');
    t.match(
      config.status?.message,
      /another client has set to "theirs" the label .* kubectl label node edited --overwrite/,
    );
    t.equal(reasonOf(config, 'ForeignEdit'), 'LabelChanged');
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    t.match((await readNode(client, 'edited')).metadata.labels, { 'nvidia.com/device-plugin.config': 'theirs' });
    t.equal((await eventsOf(client, 'edited')).filter(({ reason }) => reason === 'ForeignEdit').length, 1, 'told once');
    await patchConfig(client, 'edited', { timeSlicingReplicas: 8 });
    await comesTo(client, 'edited', 'Ready');
    t.match((await readNode(client, 'edited')).status.allocatable, { 'nvidia.com/gpu.shared': '16' });
  });

  await t.test(
    'wedges are mended: mig-manager that sticks, that fails, a plugin that does not act, a reboot',
    async (t) => {
      Object.assign(fleet.faults('moved'), { migSticks: 1, migReboots: true });
      await apply('moved', { nodeName: 'moved', migEnabled: true, migProfiles: ['7g.40gb'] });
      const config = await comesTo(client, 'moved', 'Ready', { timeoutMs: 60_000 });
      t.equal(reasonOf(config, 'Repaired'), 'MigStuck');
      t.ok((await eventsOf(client, 'moved')).some(({ reason }) => reason === 'PartitionRepaired'));
      Object.assign(fleet.faults('moved'), { migFails: 1, migReboots: false });
      await patchConfig(client, 'moved', { migProfiles: ['4g.20gb', '3g.20gb'] });
      t.equal(reasonOf(await comesTo(client, 'moved', 'Ready'), 'Repaired'), 'MigFailed');
      await patchConfig(client, 'moved', { migEnabled: false, migProfiles: null, timeSlicingEnabled: true });
      await comesTo(client, 'moved', 'Ready');
      fleet.faults('moved').pluginIgnores = true;
      await patchConfig(client, 'moved', { timeSlicingReplicas: 2 });
      await waitFor(
        'it is mended',
        async () => reasonOf(await readConfig(client, 'moved'), 'Repaired') === 'PluginStuck',
      );
      fleet.faults('moved').pluginIgnores = false;
      await comesTo(client, 'moved', 'Ready');
      fleet.faults('moved').migFails = true;
      await patchConfig(client, 'moved', { migEnabled: true, migProfiles: ['7g.40gb'], timeSlicingEnabled: false });
      const failed = await comesTo(client, 'moved', 'MigFailed');
      t.equal(failed.status?.phase, 'Failed');
      t.notOk(isMarked(await readNode(client, 'moved')), 'given back');
    },
  );

  await t.test('on the way nobody was harmed', async (t) => {
    for (const name of NODES) {
      const { harmed, refused, overlapped } = fleet.node(name);
      t.strictSame({ harmed, refused, overlapped }, { harmed: [], refused: [], overlapped: [] }, name);
    }
  });
});

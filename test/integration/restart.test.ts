/** The extender killed in the middle of work, as a process of its own: it knows everything again from pods alone. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import tap from 'tap';
import { allocationRecordSchema } from '#src/api/allocation-record.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { bound, createPod, deletePod, listPods } from '../cluster/pods.ts';
import { freePorts } from '../cluster/processes.ts';
import { waitFor } from '../cluster/wait.ts';
import { migNode, timeSlicingNode } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const MIG = 'nvidia.com/mig-1g.5gb';
const SHARED = 'nvidia.com/gpu.shared';

tap.test('SIGKILL in mid-run and a restart: every pod is bound in the end, no slot twice', async (t) => {
  const cluster = await clusterFor(t, {
    nodes: [
      migNode({ name: 'mig', gpus: 4, layout: { '1g.5gb': 7 } }),
      timeSlicingNode({ name: 'shared-1', gpus: 4, replicas: 4 }),
      timeSlicingNode({ name: 'shared-2', gpus: 4, replicas: 4 }),
    ],
  });
  if (!cluster) return;
  const { client, kubeconfigFile } = cluster;
  const [port = 0] = await freePorts(1);
  const extenderUrl = `http://127.0.0.1:${port}`;
  let extender: ChildProcess | undefined;
  const start = async () => {
    const args = [
      MAIN,
      'extender',
      '--kubeconfig',
      kubeconfigFile,
      '--extender-port',
      String(port),
      '--log-level',
      'warn',
    ];
    const child = spawn(process.execPath, args, { stdio: 'inherit' });
    extender = child;
    await waitFor('the extender is ready', async () => {
      if (child.exitCode !== null) throw new Error(`the extender ended with exit code ${child.exitCode}`);
      return (await fetch(`${extenderUrl}/readyz`).catch(() => undefined))?.ok;
    });
  };
  t.teardown(() => extender?.kill('SIGKILL'));

  await start();
  await cluster.startScheduler({ extenderUrl });
  const wanted = Array.from({ length: 56 }, (_, i) => (i % 2 === 0 ? MIG : SHARED));
  for (const [i, resource] of wanted.entries()) {
    await createPod(client, gpuPod({ name: `pod-${i}`, resources: { [resource]: 1 } }));
    if (i === 20 || i === 40) {
      // While binds are under way, and pods keep coming.
      const gone = extender && once(extender, 'exit');
      extender?.kill('SIGKILL');
      await gone;
      void start().catch((error: Error) => t.fail(error.message));
    }
    if (i % 9 === 8) await deletePod(client, `pod-${i - 4}`);
  }
  const left = wanted.length - 6;
  await waitFor('all pods are bound', async () => bound(await listPods(client)).length === left, { timeoutMs: 60_000 });

  const held = new Map<string, number>();
  for (const { metadata, spec } of await listPods(client)) {
    const record = allocationRecordSchema.parse(JSON.parse(metadata.annotations['gpu-autoscaler.io/allocation'] ?? ''));
    t.equal(record.node, spec.nodeName, `${metadata.name}: record and node agree`);
    const key = `${record.node} ${record.resource}`;
    held.set(key, (held.get(key) ?? 0) + record.count);
  }
  t.ok((held.get(`mig ${MIG}`) ?? 0) <= 28);
  t.ok((held.get(`shared-1 ${SHARED}`) ?? 0) <= 16);
  t.ok((held.get(`shared-2 ${SHARED}`) ?? 0) <= 16);

  // What the restarted extender believes is what the pods say: it refuses exactly what is full.
  const reply = await fetch(`${extenderUrl}/filter`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ Pod: gpuPod({ name: 'probe', resources: { [MIG]: 28 } }), NodeNames: ['mig'] }),
  });
  t.match(await reply.json(), { NodeNames: [], FailedNodes: { mig: /^InsufficientSlots/ } });
});

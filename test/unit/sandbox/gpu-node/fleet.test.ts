/** A fleet of no nodes: when it counts as started. What it does with nodes: test/integration/gpu-fleet.test.ts. */

import { setTimeout as sleep } from 'node:timers/promises';
import tap from 'tap';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { GpuFleet } from '#src/sandbox/gpu-node/fleet.ts';
import { NVIDIA, scaledClock } from '#src/sandbox/gpu-node/timing.ts';

tap.test('it has started once everything has been listed, and not before', async (t) => {
  const listed: string[] = [];
  let answer = () => {};
  const mayAnswer = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const client = {
    json: async (_method: string, path: string) => {
      listed.push(path.split('?')[0] ?? '');
      await mayAnswer;
      return { metadata: { resourceVersion: '1' }, items: [] };
    },
    stream: () => new Promise(() => {}),
  };
  const fleet = new GpuFleet({
    client: client as unknown as KubeClient,
    nodes: [],
    configMaps: { plugin: 'nvidia/plugin', mig: 'nvidia/mig' },
    clock: scaledClock(1_000),
    timing: NVIDIA,
    seed: 1,
    log: () => {},
  });
  let hasStarted = false;
  const started = fleet.start().then(() => {
    hasStarted = true;
  });
  await sleep(20);
  t.same(listed.sort(), ['/api/v1/configmaps', '/api/v1/nodes', '/api/v1/pods']);
  t.equal(hasStarted, false);
  answer();
  await started;
  t.equal(hasStarted, true);
});

/** `npm run cluster`: a control plane with GPU nodes, for looking at with kubectl. */

import { parseArgs } from 'node:util';
import type { GpuFleet } from '#src/sandbox/gpu-node/fleet.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../objects/nodes.ts';
import { installDefinitions } from './custom-resources.ts';
import { A100, T4 } from './emulated.ts';
import { ProgramsMissingError } from './programs.ts';
import { startFleet } from './stack.ts';
import { type Cluster, startCluster } from './start.ts';

const SPEED = 30;
const USAGE = `usage: npm run cluster [-- --empty | --emulated]

Starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok on 127.0.0.1, with
one GPU node of each kind (exclusive, MPS, time-slicing, MIG), prints a KUBECONFIG line, and runs
until Ctrl-C. A second kube-scheduler, gpu-autoscaler-scheduler, asks an extender: start one.

  --empty               no nodes
  --emulated            instead, nodes that behave like real ones and that nobody has partitioned: gpu-node-01 to -03 with
                        two A100 each, gpu-node-04 with two T4; their clock runs ${SPEED} times as fast as yours
  --extender-url URL    where that listens (default: http://127.0.0.1:8888)
`;

function readFlags() {
  try {
    return parseArgs({
      options: {
        empty: { type: 'boolean' },
        emulated: { type: 'boolean', default: false },
        'extender-url': { type: 'string', default: 'http://127.0.0.1:8888' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

const flags = readFlags();
if (flags.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

/** The reconciler's ConfigMaps are where it looks for them left alone. */
async function startEmulatedNodes(cluster: Cluster): Promise<GpuFleet> {
  const namespace = 'gpu-operator';
  await cluster.client.json('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  const fleet = await startFleet(cluster, {
    nodes: [
      ...['gpu-node-01', 'gpu-node-02', 'gpu-node-03'].map((name) => ({ name, ...A100 })),
      { name: 'gpu-node-04', ...T4 },
    ],
    speed: SPEED,
    namespace,
  });
  console.error('4 emulated GPU nodes are up');
  return fleet;
}

const nodes = [
  exclusiveNode({ name: 'exclusive-1', gpus: 4 }),
  mpsNode({ name: 'mps-1', gpus: 2, replicas: 8 }),
  timeSlicingNode({ name: 'timeslicing-1', gpus: 2, replicas: 4 }),
  migNode({ name: 'mig-1', gpus: 2, layout: { '1g.5gb': 7 } }),
];
try {
  const cluster = await startCluster({
    nodes: flags.empty || flags.emulated ? [] : nodes,
    controllers: true,
    kubelets: !flags.emulated,
    scheduler: {},
    log: (line) => console.error(line),
  });
  await installDefinitions(cluster.client);
  const fleet = flags.emulated ? await startEmulatedNodes(cluster) : undefined;
  await cluster.startScheduler({ extenderUrl: flags['extender-url'] });
  console.log(`export KUBECONFIG=${cluster.kubeconfigFile}`);
  console.error('Ctrl-C stops it.');
  // Nothing else keeps us running.
  const alive = setInterval(() => {}, 1 << 30);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clearInterval(alive);
      void Promise.resolve(fleet?.stop()).then(() => cluster.stop());
    });
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof ProgramsMissingError ? 3 : 1;
}

/** `npm run cluster`: a control plane with a GPU node of each kind, for looking at with kubectl. */

import { parseArgs } from 'node:util';
import { installDefinitions } from './custom-resources.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from './gpu-nodes.ts';
import { ProgramsMissingError } from './programs.ts';
import { startCluster } from './start.ts';

const USAGE = `usage: npm run cluster [-- --empty]

Starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok on 127.0.0.1, with
one GPU node of each kind (exclusive, MPS, time-slicing, MIG), prints a KUBECONFIG line, and runs
until Ctrl-C. A second kube-scheduler, gpu-autoscaler-scheduler, asks an extender: start one.

  --empty               no nodes
  --extender-url URL    where that listens (default: http://127.0.0.1:8888)
`;

function readFlags() {
  try {
    return parseArgs({
      options: {
        empty: { type: 'boolean' },
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

const nodes = [
  exclusiveNode({ name: 'exclusive-1', gpus: 4 }),
  mpsNode({ name: 'mps-1', gpus: 2, replicas: 8 }),
  timeSlicingNode({ name: 'timeslicing-1', gpus: 2, replicas: 4 }),
  migNode({ name: 'mig-1', gpus: 2, layout: { '1g.5gb': 7 }, profileMiB: { '1g.5gb': 4864 } }),
];
try {
  const cluster = await startCluster({
    nodes: flags.empty ? [] : nodes,
    controllers: true,
    scheduler: {},
    log: (line) => console.error(line),
  });
  await installDefinitions(cluster.client);
  await cluster.startScheduler({ extenderUrl: flags['extender-url'] });
  console.log(`export KUBECONFIG=${cluster.kubeconfigFile}`);
  console.error('Ctrl-C stops it.');
  // Nothing else keeps us running.
  const alive = setInterval(() => {}, 1 << 30);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clearInterval(alive);
      void cluster.stop();
    });
  }
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = error instanceof ProgramsMissingError ? 3 : 1;
}

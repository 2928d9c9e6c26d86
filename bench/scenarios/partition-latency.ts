import { z } from 'zod';
import { NODE } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import { agreement } from '#src/state/observed-node.ts';
import { A100 } from '../../test/cluster/emulated.ts';
import { createPod } from '../../test/cluster/pods.ts';
import { startStack } from '../../test/cluster/stack.ts';
import { waitFor } from '../../test/cluster/wait.ts';
import { gpuPod } from '../../test/objects/pods.ts';
import { observe } from '../../test/objects/records.ts';
import { median, quantile, type Scenario } from '../scenario.ts';

const RUNS = 50;
const SPEED = 5;
/** What the specification and the documents ask for, emulated ms: the planner waits for more pods; kubelets may take so long. */
const BATCH_MS = 10_000;
const PROPAGATION_MS = 90_000;
const STRATEGY = 'gpu-autoscaler.io/optimization-strategy';
const MODES = [
  { mode: 'mig', resource: 'nvidia.com/mig-1g.5gb' },
  { mode: 'mps', resource: 'nvidia.com/gpu.shared' },
  { mode: 'timeslicing', resource: 'nvidia.com/gpu.shared' },
] as const;

const listSchema = z.object({ items: z.array(z.unknown()) });
const namedSchema = z.object({
  metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({ nodeName: z.string().optional() }).default({}),
});

/** Moments of one run, ms. */
interface Run {
  created: number;
  told?: number;
  agreed?: number;
  bound?: number;
}

export const partitionLatency: Scenario = {
  name: 'partition-latency',
  question: 'How long does a pod wait for a partition that nobody has prepared, beside what nobody can shorten?',
  method:
    `${RUNS} pods for each mode, each for a node of its own (one A100) that is not partitioned, all created at once; emulated ` +
    `nodes at NVIDIA's delays, their clock ${SPEED} times as fast, the controller's waits alike. Times are emulated seconds. ` +
    `Unavoidable: ${BATCH_MS / 1000} s in which the planner waits for more pods, ${PROPAGATION_MS / 1000} s in which kubelets may ` +
    'bring the configuration (nothing tells when they have), and from the label to the moment at which allocatable and ' +
    "labels agree, which is NVIDIA's. The rest is ours, the API server's and kube-scheduler's, whose retry of a pod (1 s at most here, not " +
    `scaled) counts as ${SPEED} s. The goal is a ratio of 1.25.`,
  async run(log) {
    const rows: string[][] = [];
    for (const { mode, resource } of MODES) rows.push(await measure(mode, resource, log));
    return {
      head: ['mode', 'runs', 'unavoidable p50', 'pending to bound p50', 'ratio p50', 'ratio p95', 'ratio max'],
      rows,
    };
  },
};

async function measure(mode: string, resource: string, log: (line: string) => void): Promise<string[]> {
  const names = Array.from({ length: RUNS }, (_, i) => `n${i}`);
  const spec = { ...A100, gpus: 1 };
  const stack = await startStack({
    label: 'partition-latency',
    controller: true,
    webhook: false,
    edit: (config) => ({ ...config, podInitialBackoffSeconds: 1, podMaxBackoffSeconds: 1 }),
    fleet: {
      nodes: names.map((name) => ({ name, ...spec })),
      speed: SPEED,
      configuration: {
        sharing: { mig: { autoConfig: true }, mps: { autoConfig: true }, timeSlicing: { autoConfig: true } },
        reconciler: { maxInTransition: '100%' },
      },
    },
  });
  try {
    const { client } = stack.cluster;
    const runs = new Map<string, Run>();
    await Promise.all(
      names.map(async (name) => {
        const annotations = { [STRATEGY]: mode };
        const nodeSelector = { 'kubernetes.io/hostname': name };
        await createPod(client, gpuPod({ name, resources: { [resource]: 1 }, annotations, spec: { nodeSelector } }));
        runs.set(name, { created: performance.now() });
      }),
    );
    await waitFor('all pods are bound', () => look(client, runs), { timeoutMs: 180_000, everyMs: 20 });
    const figures = [...runs.values()].map(({ created, told = 0, agreed = 0, bound = 0 }) => {
      const unavoidable = BATCH_MS + PROPAGATION_MS + (agreed - told) * SPEED;
      return { unavoidable, total: (bound - created) * SPEED };
    });
    log(`${mode}: ${runs.size} pods bound`);
    const ratios = figures.map(({ unavoidable, total }) => total / unavoidable);
    return [
      mode,
      String(runs.size),
      seconds(median(figures.map(({ unavoidable }) => unavoidable))),
      seconds(median(figures.map(({ total }) => total))),
      median(ratios).toFixed(2),
      quantile(ratios, 0.95).toFixed(2),
      Math.max(...ratios).toFixed(2),
    ];
  } finally {
    await stack.stop();
  }
}

/** Notes what has happened since the last look; true once all pods are bound. */
async function look(client: KubeClient, runs: ReadonlyMap<string, Run>): Promise<boolean> {
  const [nodes, pods] = await Promise.all(
    ['/api/v1/nodes', '/api/v1/namespaces/default/pods'].map(async (path) =>
      listSchema.parse(await client.json('GET', path)),
    ),
  );
  const now = performance.now();
  for (const object of nodes?.items ?? []) {
    const { metadata } = namedSchema.parse(object);
    const run = runs.get(metadata.name);
    const node = observe(object);
    if (!run || !node?.lastApplied) continue;
    if (metadata.annotations[NODE.partition] !== undefined) run.told ??= now;
    if (
      agreement(node, node.lastApplied.partition) === 'full' &&
      (node.lastApplied.mig === undefined || node.migState === 'success')
    ) {
      run.agreed ??= now;
    }
  }
  for (const object of pods?.items ?? []) {
    const { metadata, spec } = namedSchema.parse(object);
    const run = runs.get(metadata.name);
    if (run && spec.nodeName !== undefined) run.bound ??= now;
  }
  return [...runs.values()].every(({ bound }) => bound !== undefined);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(0)} s`;
}

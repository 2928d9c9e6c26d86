/**
 * The specification's three examples on a real kube-apiserver and kube-scheduler, and on GPU nodes that nobody has
 * prepared: pods that ask for whole GPUs go in; the webhook decides how they share, the planner proposes partitions,
 * the reconciler makes them through NVIDIA's components (which are emulated), the extender binds. What the bound pods
 * really use comes out. All figures are counted from API objects.
 *
 * usage: npm run demo [-- --keep]
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { CUSTOM_RESOURCES, WRITTEN } from '#src/api/keys.ts';
import { columns, gpuGrid } from '#src/cli/gpu-grid.ts';
import { gpusInUse, type Saving, saving } from '#src/core/savings.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import type { GpuNodeSpec } from '#src/sandbox/gpu-node/node.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { A100, T4 } from '../test/cluster/emulated.ts';
import { bound, createPod, listPods, type Pod } from '../test/cluster/pods.ts';
import { ProgramsMissingError } from '../test/cluster/programs.ts';
import { type Stack, startStack } from '../test/cluster/stack.ts';
import { waitFor } from '../test/cluster/wait.ts';
import { takeList } from '../test/fakes/listing.ts';
import { Progress } from './progress.ts';

interface Example {
  readonly name: string;
  readonly file: string;
  /** The GPUSharingPolicy that governs its pods. */
  readonly policy: string;
  readonly pods: number;
  /** GPUs after sharing, as the specification's "Cost Savings Examples" has them. */
  readonly promised: number;
}

const EXAMPLES: readonly Example[] = [
  {
    name: 'inference servers, by MPS',
    file: 'inference-mps.yaml',
    policy: 'phase2/gpu-sharing-policy-mps.yaml',
    pods: 10,
    promised: 2,
  },
  {
    name: 'batch jobs, by MIG',
    file: 'batch-mig.yaml',
    policy: 'phase2/gpu-sharing-policy-mig.yaml',
    pods: 20,
    promised: 3,
  },
  {
    name: 'notebooks, by time-slicing',
    file: 'notebook-timeslicing.yaml',
    policy: 'phase2/gpu-sharing-policy-timeslicing.yaml',
    pods: 16,
    promised: 4,
  },
];

/** More than is needed: room enough to waste some by bad planning. */
const NODES: readonly GpuNodeSpec[] = [
  ...[1, 2, 3, 4, 5, 6].map((i) => ({ name: `a100-${i}`, ...A100 })),
  ...[1, 2, 3, 4].map((i) => ({ name: `t4-${i}`, ...T4 })),
];

/** A minute of the nodes passes in two seconds. */
const SPEED = 30;
const CONFIGURATION = {
  sharing: { mig: { autoConfig: true }, mps: { autoConfig: true }, timeSlicing: { autoConfig: true } },
  reconciler: { maxInTransition: '50%' },
};

const USAGE = `usage: npm run demo [-- OPTIONS]

Starts a control plane (etcd, kube-apiserver, kube-scheduler), emulated GPU nodes that nobody has partitioned, our
webhook, extender and controller on 127.0.0.1, applies the policies of examples/phase2, creates the pods of
examples/*.yaml, shows how nodes are partitioned for them, and counts the GPUs that they end up on. The nodes' clock
runs ${SPEED} times as fast as yours.

  --keep       leave it running for kubectl, until Ctrl-C
  -h, --help

exit codes: 0 all figures reached · 1 one was missed, or something failed · 2 usage · 3 no control plane to be had
`;

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** Applies the policies, and waits until the webhook has heard of each: until a pod that is made only as a trial is governed. */
async function applyPolicies(client: KubeClient, progress: Progress): Promise<void> {
  progress.begin('policies');
  for (const { policy } of EXAMPLES) await client.json('POST', CUSTOM_RESOURCES.policies, { body: read(policy) });
  for (const { policy, file } of EXAMPLES) {
    await waitFor(`${policy} is in force`, async () => {
      const trial = await client.json('POST', '/api/v1/namespaces/default/pods?dryRun=All', { body: read(file) });
      return JSON.stringify(trial).includes(`"${WRITTEN.policy}":"${read(policy).metadata.name}"`);
    });
  }
  progress.end(`${EXAMPLES.length} GPUSharingPolicies applied`);
}

const policiesSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({ strategy: z.string(), priority: z.number() }),
      status: z.object({ appliedPods: z.number().optional() }).default({}),
    }),
  ),
});

async function listPolicies(client: KubeClient) {
  return policiesSchema.parse(await client.json('GET', CUSTOM_RESOURCES.policies)).items;
}

/** As `kubectl get gpusharingpolicies` shows them. */
async function policyTable(client: KubeClient, pods: number): Promise<string> {
  const policies = await waitFor('the policies have counted their pods', async () => {
    const now = await listPolicies(client);
    return now.reduce((sum, { status }) => sum + (status.appliedPods ?? 0), 0) === pods && now;
  });
  const rows = policies.map(({ metadata, spec, status }) => {
    return [metadata.name, spec.strategy, String(spec.priority), String(status.appliedPods)];
  });
  return columns(['GPUSHARINGPOLICY', 'STRATEGY', 'PRIORITY', 'APPLIEDPODS'], rows);
}

async function createPods(client: KubeClient, progress: Progress): Promise<void> {
  progress.begin('pods');
  for (const { file, pods } of EXAMPLES) {
    const manifest = read(file);
    for (let i = 1; i <= pods; i += 1) {
      await createPod(client, {
        ...manifest,
        metadata: { ...manifest.metadata, name: `${manifest.metadata.name}-${i}` },
      });
    }
  }
  progress.end(EXAMPLES.map(({ pods, name }) => `${pods} ${name}`).join('; '));
}

const nodeConfigsSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({
        nodeName: z.string(),
        migEnabled: z.boolean(),
        mpsEnabled: z.boolean(),
        timeSlicingEnabled: z.boolean(),
      }),
      status: z
        .object({ phase: z.string().optional(), message: z.string().optional(), mpsStatus: z.unknown().optional() })
        .default({}),
    }),
  ),
});

async function listNodeConfigs(client: KubeClient) {
  return nodeConfigsSchema.parse(await client.json('GET', CUSTOM_RESOURCES.nodeConfigs)).items;
}

/** Waits until every pod is bound, and shows on the way what becomes of the nodes. */
async function watchPartitions(client: KubeClient, progress: Progress): Promise<void> {
  progress.begin('partitions');
  const since = performance.now();
  const shown = new Map<string, string>();
  const total = EXAMPLES.reduce((sum, { pods }) => sum + pods, 0);
  try {
    await waitFor(
      'all pods are bound',
      async () => {
        for (const { metadata, status } of await listNodeConfigs(client)) {
          const line = `${metadata.name.padEnd(7)} ${(status.phase ?? 'Planned').padEnd(11)} ${status.message ?? ''}`;
          if (shown.get(metadata.name) === line) continue;
          shown.set(metadata.name, line);
          progress.note(`  ${((performance.now() - since) / 1000).toFixed(1).padStart(5)} s  ${line.trimEnd()}`);
        }
        const now = bound(await listPods(client)).length;
        progress.update(`${now}/${total} pods bound`);
        return now === total;
      },
      { timeoutMs: 120_000, everyMs: 200 },
    );
  } catch {
    const pending = (await listPods(client)).filter(({ spec }) => !spec.nodeName);
    const why = pending[0]?.status.conditions.find(({ type }) => type === 'PodScheduled')?.message;
    throw new Error(`${pending.length} of ${total} pods are still pending: ${why ?? 'kube-scheduler gives no reason'}`);
  }
  progress.end(`${total} pods bound`);
}

/** As `kubectl get gpunodeconfigs` shows them. */
async function nodeConfigTable(client: KubeClient): Promise<string> {
  const configs = await waitFor('the clients of MPS are counted', async () => {
    const now = await listNodeConfigs(client);
    const clients = now.reduce((sum, { status }) => sum + Number(Object(status.mpsStatus).activeClients ?? 0), 0);
    return now.every(({ status }) => status.phase === 'Ready') && clients === EXAMPLES[0]?.pods && now;
  });
  const rows = configs.map(({ metadata, spec, status }) => {
    const { nodeName, migEnabled, mpsEnabled, timeSlicingEnabled } = spec;
    return [metadata.name, nodeName, status.phase ?? '', ...[migEnabled, mpsEnabled, timeSlicingEnabled].map(String)];
  });
  const table = columns(['GPUNODECONFIG', 'NODE', 'PHASE', 'MIG', 'MPS', 'TIMESLICING'], rows);
  const mps = configs.find(({ spec }) => spec.mpsEnabled);
  return `${table}\n\n${mps?.metadata.name}: .status.mpsStatus = ${JSON.stringify(mps?.status.mpsStatus)}`;
}

function read(file: string): { metadata: { name: string } } {
  return parse(readFileSync(join(import.meta.dirname, file), 'utf8')) as { metadata: { name: string } };
}

/** The cluster as its API shows it: built afresh, nothing is taken from the extender's memory. */
async function observe(client: KubeClient): Promise<ClusterState> {
  const listSchema = z.object({ items: z.array(z.unknown()) });
  const state = new ClusterState((message, details) => {
    throw new Error(`${message}: ${JSON.stringify(details)}`);
  });
  takeList(state.nodes, listSchema.parse(await client.json('GET', '/api/v1/nodes')).items);
  takeList(state.pods, listSchema.parse(await client.json('GET', '/api/v1/pods')).items);
  return state;
}

function savingOf({ ledger }: ClusterState, pods: readonly Pod[]): Saving {
  const asked = pods.map(({ metadata }) => Number(metadata.annotations['gpu-autoscaler.io/original-gpu-request'] ?? 0));
  const held = pods.flatMap(({ metadata }) => ledger.allocationOf(metadata.uid) ?? []);
  return saving(
    asked.reduce((sum, count) => sum + count, 0),
    gpusInUse(held),
  );
}

function row(name: string, pods: number, { before, after, saved, percent }: Saving): string[] {
  return [name, String(pods), `${before} GPUs`, `${after} GPUs`, `${saved} GPUs (${percent}%)`];
}

/** Runs the examples, prints what came of them; a sentence for each figure that was missed. */
async function show(stack: Stack, progress: Progress): Promise<string[]> {
  const { client } = stack.cluster;
  await applyPolicies(client, progress);
  await createPods(client, progress);
  await watchPartitions(client, progress);

  const state = await observe(client);
  const pods = await listPods(client);
  const savings = EXAMPLES.map((example) => {
    const prefix = `${read(example.file).metadata.name}-`;
    return {
      example,
      figures: savingOf(
        state,
        pods.filter(({ metadata }) => metadata.name.startsWith(prefix)),
      ),
    };
  });
  const all = saving(
    savings.reduce((sum, { figures }) => sum + figures.before, 0),
    savings.reduce((sum, { figures }) => sum + figures.after, 0),
  );
  const rows = savings.map(({ example, figures }) => row(example.name, example.pods, figures));
  console.log(`\n${columns(['EXAMPLE', 'PODS', 'BEFORE', 'AFTER', 'SAVED'], [...rows, row('all', pods.length, all)])}`);
  console.log(`\n${await policyTable(client, pods.length)}`);
  console.log(`\n${await nodeConfigTable(client)}`);
  console.log(`\n${gpuGrid(state.ledger)}\n`);
  return savings
    .filter(({ example, figures }) => figures.after !== example.promised)
    .map(({ example, figures }) => `${example.name}: ${figures.after} GPUs in use, ${example.promised} were promised`);
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const progress = new Progress(process.stdout);
  console.log(
    'A real kube-apiserver and kube-scheduler on this machine; the GPU nodes, with what NVIDIA runs there, are emulated.\n',
  );
  progress.begin('control plane, GPU nodes, extender, webhook, controller');
  const stack = await startStack({
    label: 'demo',
    controller: true,
    fleet: { nodes: NODES, speed: SPEED, configuration: CONFIGURATION },
    log: (line) => progress.update(line),
  });
  const interrupted = new Promise<number>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done(130));
  });
  try {
    progress.end(`${NODES.length} nodes with ${NODES.length * 2} GPUs, all of them whole`);
    const missed = await Promise.race([show(stack, progress), interrupted]);
    if (typeof missed === 'number') return missed;
    for (const sentence of missed) console.error(`missed: ${sentence}`);
    if (flags.keep) {
      console.log(
        `export KUBECONFIG=${stack.cluster.kubeconfigFile}\nkubectl get pods -o wide\nkubectl get gpusharingpolicies,gpunodeconfigs\n\nCtrl-C stops it.`,
      );
      await interrupted;
    }
    return missed.length > 0 ? 1 : 0;
  } finally {
    await stack.stop();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`\n${(error as Error).message}`);
  process.exitCode = error instanceof ProgramsMissingError ? 3 : 1;
}

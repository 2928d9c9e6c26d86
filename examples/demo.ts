/**
 * The specification's three examples on a real kube-apiserver and kube-scheduler: pods that ask for
 * whole GPUs go in, and what the bound pods really use comes out. All figures are counted from API
 * objects.
 *
 * usage: npm run demo [-- --keep --strategy NAME]
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { z } from 'zod';
import { CUSTOM_RESOURCES, WRITTEN } from '../src/api/keys.ts';
import { columns, gpuGrid } from '../src/cli/gpu-grid.ts';
import { ClusterState } from '../src/cluster/cluster-state.ts';
import type { KubeClient } from '../src/cluster/kube-client.ts';
import { gpusInUse, type Saving, saving } from '../src/core/savings.ts';
import { strategyByName, strategyNames } from '../src/core/strategies/registry.ts';
import { migNode, mpsNode, T4, timeSlicingNode } from '../test/cluster/gpu-nodes.ts';
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

/** Four nodes of two GPUs for each way of sharing: room enough to waste some by bad placement. */
const NODES = [1, 2, 3, 4].flatMap((i) => [
  mpsNode({ name: `mps-${i}`, gpus: 2, replicas: 8 }),
  migNode({ name: `mig-${i}`, gpus: 2, layout: { '1g.5gb': 7 }, profileMiB: { '1g.5gb': 4864 } }),
  timeSlicingNode({ name: `timeslicing-${i}`, gpus: 2, replicas: 4, gpu: T4 }),
]);

const USAGE = `usage: npm run demo [-- OPTIONS]

Starts a control plane (etcd, kube-apiserver, kube-scheduler, kwok), our webhook, extender and controller
on 127.0.0.1, applies the policies of examples/phase2, creates the pods of examples/*.yaml, and counts the
GPUs that they end up on.

  --strategy NAME   ${strategyNames.join(', ')} (default: bestfit); a worse one misses the figures
  --keep            leave it running for kubectl, until Ctrl-C
  -h, --help

exit codes: 0 all figures reached · 1 one was missed, or something failed · 2 usage · 3 no control plane to be had
`;

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        strategy: { type: 'string', default: 'bestfit' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (strategyByName(values.strategy)) return values;
    throw new Error(`--strategy: ${JSON.stringify(values.strategy)} is not one of ${strategyNames.join(', ')}`);
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

/** Creates an example's pods and waits until all are bound; what each was asking for is in its annotations. */
async function runExample(client: KubeClient, example: Example, progress: Progress): Promise<Pod[]> {
  const { name, file, pods } = example;
  const manifest = read(file);
  const prefix = manifest.metadata.name;
  progress.begin(`${pods} ${name}`);
  for (let i = 1; i <= pods; i += 1) {
    await createPod(client, { ...manifest, metadata: { ...manifest.metadata, name: `${prefix}-${i}` } });
  }
  const mine = async () => (await listPods(client)).filter(({ metadata }) => metadata.name.startsWith(`${prefix}-`));
  try {
    const done = await waitFor('all pods are bound', async () => {
      const now = await mine();
      progress.update(`${bound(now).length}/${pods} bound`);
      return bound(now).length === pods && now;
    });
    progress.end(`${pods} pods bound`);
    return done;
  } catch {
    const pending = (await mine()).filter(({ spec }) => !spec.nodeName);
    const why = pending[0]?.status.conditions.find(({ type }) => type === 'PodScheduled')?.message;
    throw new Error(
      `${pending.length} of ${pods} ${name} are still pending: ${why ?? 'kube-scheduler gives no reason'}`,
    );
  }
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
  const runs: { example: Example; pods: Pod[] }[] = [];
  for (const example of EXAMPLES) runs.push({ example, pods: await runExample(client, example, progress) });

  const state = await observe(client);
  const savings = runs.map(({ example, pods }) => ({ example, figures: savingOf(state, pods) }));
  const all = saving(
    savings.reduce((sum, { figures }) => sum + figures.before, 0),
    savings.reduce((sum, { figures }) => sum + figures.after, 0),
  );
  const podCount = EXAMPLES.reduce((sum, { pods }) => sum + pods, 0);
  const rows = savings.map(({ example, figures }) => row(example.name, example.pods, figures));
  console.log(`\n${columns(['EXAMPLE', 'PODS', 'BEFORE', 'AFTER', 'SAVED'], [...rows, row('all', podCount, all)])}`);
  console.log(`\n${await policyTable(client, podCount)}`);
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
  console.log('A real kube-apiserver and kube-scheduler on this machine; the GPU nodes are played by kwok.\n');
  progress.begin('control plane, extender, webhook, controller');
  const stack = await startStack({
    label: 'demo',
    nodes: NODES,
    strategy: flags.strategy,
    controller: true,
    log: (line) => progress.update(line),
  });
  const interrupted = new Promise<number>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done(130));
  });
  try {
    progress.end(`${NODES.length} GPU nodes, strategy ${flags.strategy}`);
    const missed = await Promise.race([show(stack, progress), interrupted]);
    if (typeof missed === 'number') return missed;
    for (const sentence of missed) console.error(`missed: ${sentence}`);
    if (flags.keep) {
      console.log(
        `export KUBECONFIG=${stack.cluster.kubeconfigFile}\nkubectl get pods -o wide\nkubectl get gpusharingpolicies\n\nCtrl-C stops it.`,
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

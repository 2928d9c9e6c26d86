/**
 * Each kind of workload that people have asked about in `decide`, and as a list of nodes and pods in `simulate`; and the files
 * that they were taken from, where they lie beside this folder.
 */

import { spawn } from 'node:child_process';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import tap, { type Test } from 'tap';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { checkPod } from '../objects/fleet/check.ts';
import type { FleetPod, FleetWorkload } from '../objects/fleet/workload.ts';
import { FLEET_WORKLOADS } from '../objects/fleet/workloads.ts';
import { itemsOf } from './run-decide.ts';

const SHARED = resolve(import.meta.dirname, '../../../shared/fleet');
/** Only where they are. */
const HERE = { skip: existsSync(SHARED) ? false : 'they are not here' };
const printedSchema = z.array(z.object({ stdout: z.string(), stderr: z.string() }));
type Printed = z.infer<typeof printedSchema>[number];

const NOTHING: Printed = { stdout: '', stderr: '' };

/** What each of these commands prints. */
async function run(commands: readonly (readonly string[])[]): Promise<readonly Printed[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'one-process.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(commands));
  return printedSchema.parse(JSON.parse(await text(child.stdout)));
}

const deciding = (file: string) => ['decide', '-f', file, '-s', file, '-o', 'json'];
const simulating = (file: string) => ['simulate', '--snapshot', file, '--strategies', 'bestfit', '--seeds', '1'];

const itemSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ replicas: z.int().optional(), template: z.looseObject({}).optional() }).optional(),
});
type Item = z.infer<typeof itemSchema>;
const asList = (items: readonly object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

/** Checks what `decide` says of each object that the workload knows by its name; their names. */
function checkDecisions(t: Test, { stdout, stderr }: Printed, { id, pods }: FleetWorkload): ReadonlySet<string> {
  const checked = new Set<string>();
  if (stdout === '') t.fail(`${id}: ${stderr}`);
  for (const { object, pod, warnings } of stdout === '' ? [] : itemsOf(stdout)) {
    const name = object.split(' ')[1] ?? '';
    const given = pods.find((each) => each.pod.metadata.name === name);
    if (!given) continue;
    checked.add(name);
    checkPod(t, `${id}, ${object}`, pod ?? given.pod, given.becomes, z.array(z.string()).parse(warnings).join());
  }
  return checked;
}

/** Checks what `simulate` counts. */
function checkSimulation(t: Test, id: string, { stdout, stderr }: Printed, nodes: number, pods: number): void {
  const count = (of: number, what: string) => `${of} ${what}${of === 1 ? '' : 's'}`;
  const title = new RegExp(`: ${count(nodes, 'node')} with \\d+ GPUs?, ${count(pods, 'pod')}$`, 'm');
  t.match(stdout || stderr, title, `${id}: simulate counts what is there`);
  t.match(stdout, /^bestfit +\d/m, `${id}: and packs it`);
}

tap.test('each workload', async (t) => {
  const folder = t.testdir();
  const commands = FLEET_WORKLOADS.flatMap(({ id, nodes, others = [], pods }) => {
    const [file, snapshot] = [join(folder, `${id}.json`), join(folder, `${id}-list.json`)];
    writeFileSync(file, asList([...nodes, ...others, ...pods.map(({ pod }) => pod)]));
    writeFileSync(snapshot, asList([...nodes, ...pods.flatMap(waitingReplicas)]));
    return [deciding(file), simulating(snapshot)];
  });
  const printed = await run(commands);
  for (const [i, workload] of FLEET_WORKLOADS.entries()) {
    const { id, nodes, pods } = workload;
    const checked = checkDecisions(t, printed[2 * i] ?? NOTHING, workload);
    t.equal(checked.size, pods.length, `${id}: each pod has its decision`);
    checkSimulation(t, id, printed[2 * i + 1] ?? NOTHING, nodes.length, pods.flatMap(waitingReplicas).length);
  }
});

/** As `kubectl get pods -o json` shows them. */
function waitingReplicas({ pod, replicas = 1 }: FleetPod): object[] {
  const { name } = pod.metadata;
  return Array.from({ length: replicas }, (_, i) => ({
    ...pod,
    metadata: { ...pod.metadata, name: `${name}-${i}`, uid: `${name}-${i}` },
    status: { phase: 'Pending' },
  }));
}

tap.test('what makes pods in its own way is passed over, and said', async (t) => {
  const workload = workloadOf('13');
  const items = [...workload.nodes, ...(workload.others ?? []), ...workload.pods.map(({ pod }) => pod)];
  const file = join(t.testdir({ 'all.json': asList(items) }), 'all.json');
  const [{ stderr } = NOTHING] = await run([deciding(file)]);
  t.match(stderr, /InferenceService huggingface-llama3 was passed over: .*ask for the pods: kubectl get pods/);
});

tap.test('limits that a pod does not get are not shown as if it did', async (t) => {
  const workload = workloadOf('19');
  const items = [...workload.nodes, ...(workload.others ?? []), ...workload.pods.map(({ pod }) => pod)];
  const file = join(t.testdir({ 'all.json': asList(items) }), 'all.json');
  const [{ stdout } = NOTHING] = await run([['decide', '-f', file, '-s', file]]);
  const [envFrom, without] = stdout.split('\n\n');
  t.match(envFrom, /^Pod envfrom /);
  t.notMatch(envFrom, /CUDA_MPS/);
  t.match(without, /^ +env CUDA_MPS_PINNED_DEVICE_MEM_LIMIT=0=2048M$/m);
});

tap.test('the files themselves: workloads', HERE, async (t) => {
  const folder = t.testdir();
  const files = globSync(join(SHARED, 'workloads', '[0-9][0-9].yaml')).map((file) => {
    const id = basename(file, '.yaml');
    const items = documentsOf(file);
    const nodes = items.filter(({ kind }) => kind === 'Node');
    const pods = items.flatMap(podsOf);
    const snapshot = join(folder, `${id}.json`);
    writeFileSync(snapshot, asList([...nodes, ...pods]));
    return { id, file, snapshot, nodes, pods };
  });
  t.ok(files.length > 15, `${files.length} files`);
  const printed = await run(files.flatMap(({ file, snapshot }) => [deciding(file), simulating(snapshot)]));
  for (const [i, { id, nodes, pods }] of files.entries()) {
    const checked = checkDecisions(t, printed[2 * i] ?? NOTHING, workloadOf(id));
    t.ok(checked.size > 0, `${id}: ${[...checked].join()}`);
    checkSimulation(t, id, printed[2 * i + 1] ?? NOTHING, nodes.length, pods.length);
  }
});

/** Nodes of which nothing tells how large their slots are. */
const UNSIZED = ['aks-mig-single', 'aks-t4', 'hami-477', 'mig-invalid', 'ts-nogfd-990'];

tap.test('the files themselves: nodes, all of them in one cluster', HERE, async (t) => {
  const listSchema = z.object({ items: z.array(itemSchema) });
  const nodes = globSync(join(SHARED, 'nodes/*.json')).flatMap((file) => {
    const { items } = listSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    // Two of them have one name.
    return items.map((node) => ({ ...node, metadata: { ...node.metadata, name: basename(file, '.json') } }));
  });
  const pod = { kind: 'Pod', metadata: { name: 'p', uid: 'p' }, spec: workloadOf('04').pods[0]?.pod.spec };
  const file = join(t.testdir({ 'all.json': asList([...nodes, pod]) }), 'all.json');
  const [{ stdout, stderr } = NOTHING] = await run([simulating(file)]);
  t.match(stdout, /: \d+ nodes with \d+ GPUs, 1 pod$/m);
  const unsized = [...stderr.matchAll(/node (\S+): the size of .* is not known/g)].map(([, name]) => name ?? '');
  t.same(unsized.toSorted(), UNSIZED, 'it says of which nodes the size is not known');
});

function workloadOf(id: string): FleetWorkload {
  const workload = FLEET_WORKLOADS.find((each) => each.id === id);
  if (!workload) throw new RangeError(`there is no workload ${id}`);
  return workload;
}

function documentsOf(file: string): Item[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).flatMap(
    (document) => itemSchema.safeParse(document.toJS()).data ?? [],
  );
}

/** The pods that a controller makes of the object. */
function podsOf({ kind, metadata, spec }: Item): object[] {
  if (kind === 'Pod') return [{ kind, metadata: { ...metadata, uid: metadata.name }, spec }];
  const template = spec?.template as { metadata?: object; spec?: object } | undefined;
  if (!template?.spec) return [];
  return Array.from({ length: spec?.replicas ?? 1 }, (_, i) => ({
    kind: 'Pod',
    metadata: { ...template.metadata, name: `${metadata.name}-${i}`, uid: `${kind}-${metadata.name}-${i}` },
    spec: template.spec,
  }));
}

/** Our custom resources on the real API server: definitions, examples, status, and what kubectl shows. */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import { json } from 'node:stream/consumers';
import tap, { type Test } from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { NODE_CONFIGS, SHARING_POLICIES } from '#src/api/custom-resources.ts';
import type { NodeConfigStatus } from '#src/api/node-config.ts';
import { parseSharingPolicy, type SharingPolicyStatus } from '#src/api/sharing-policy.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import {
  CRDS,
  createCustom,
  installDefinitions,
  pathOf,
  type Resource,
  readStored,
} from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import type { Cluster } from '../cluster/start.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples/phase2');

/** All of each of them. */
const TIME = '2026-01-02T03:04:05Z';
const CONDITION = {
  type: 'Enforced',
  status: 'False',
  observedGeneration: 1,
  lastTransitionTime: TIME,
  reason: 'SliceMs',
  message: 'NVIDIA offers coarse steps only',
} as const;
const POLICY_STATUS: SharingPolicyStatus = { appliedPods: 7, lastUpdateTime: TIME, conditions: [CONDITION] };
const NODE_STATUS: NodeConfigStatus = {
  phase: 'Ready',
  message: 'done',
  lastUpdateTime: TIME,
  conditions: [CONDITION],
  migStatus: { enabled: true, configuredProfiles: ['1g.5gb'], availableDevices: 14 },
  mpsStatus: { enabled: true, activeClients: 8, maxClients: 16 },
  timeSlicingStatus: { enabled: true, physicalGPUs: 2, virtualGPUs: 8, replicasPerGPU: 4 },
};

tap.test('custom resources', async (t) => {
  const cluster = await clusterFor(t, { kubelets: false });
  if (!cluster) return;
  const { client } = cluster;
  const said = await installDefinitions(client);
  for (const [plural, conditions] of said) {
    // A third one, NonStructuralSchema, would say that the schema is not checked in full.
    t.same([...conditions].sort(), ['Established', 'NamesAccepted'], plural);
  }
  await t.test('the examples are taken as they are printed', (t) => takesExamples(t, client));
  await t.test('spec and status are written apart', (t) => separatesStatus(t, client));
  await t.test('the status takes what it is meant for', (t) => takesStatus(t, client));
  await t.test('and nothing else', (t) => refusesStatus(t, client));
  await t.test('tables', (t) => showsTables(t, cluster));
  await t.test('kubectl', (t) => servesKubectl(t, cluster));
});

async function takesExamples(t: Test, client: KubeClient): Promise<void> {
  const policies = ['mig', 'mps', 'timeslicing'].map((mode) => `gpu-sharing-policy-${mode}.yaml`);
  for (const file of policies) {
    const stored = await createExample(t, client, SHARING_POLICIES, file);
    t.match(parseSharingPolicy(stored), { ok: true });
  }
  await createExample(t, client, NODE_CONFIGS, 'gpu-node-config.yaml');
}

async function createExample(t: Test, client: KubeClient, resource: Resource, file: string): Promise<object> {
  const body = parse(readFileSync(join(EXAMPLES, file), 'utf8'));
  const object = readStored(await client.json('POST', `${pathOf(resource)}?fieldValidation=Strict`, { body }));
  t.match(object, body, file);
  return object;
}

async function separatesStatus(t: Test, client: KubeClient): Promise<void> {
  const created = await createCustom(client, SHARING_POLICIES, 'apart', { strategy: 'auto' });
  const path = `${pathOf(SHARING_POLICIES)}/apart`;
  const asSpec = readStored(await client.json('PUT', path, { body: { ...created, status: POLICY_STATUS } }));
  t.equal(asSpec.status, undefined, 'who writes the object does not write the status');
  const body = { ...asSpec, spec: { strategy: 'mig' }, status: POLICY_STATUS };
  const asStatus = readStored(await client.json('PUT', `${path}/status`, { body }));
  t.match(asStatus, { spec: { strategy: 'auto' }, status: POLICY_STATUS }, 'nor the other way round');
  t.equal(asStatus.metadata.generation, created.metadata.generation, 'a status is no new generation');
}

/** The status as it is stored. */
async function patchStatus(client: KubeClient, resource: Resource, status: object): Promise<unknown> {
  const path = `${pathOf(resource)}/status/status?fieldValidation=Strict`;
  const contentType = 'application/merge-patch+json';
  return readStored(await client.json('PATCH', path, { body: { status }, contentType })).status;
}

async function takesStatus(t: Test, client: KubeClient): Promise<void> {
  await createCustom(client, SHARING_POLICIES, 'status', { strategy: 'auto' });
  await createCustom(client, NODE_CONFIGS, 'status', { nodeName: 'gpu-1' });
  t.same(await patchStatus(client, SHARING_POLICIES, POLICY_STATUS), POLICY_STATUS);
  t.same(await patchStatus(client, NODE_CONFIGS, NODE_STATUS), NODE_STATUS);
}

/** Old versions of the API server, such as 1.30, name fields of a status without `status.`. */
async function refusesStatus(t: Test, client: KubeClient): Promise<void> {
  const refused: readonly [sentence: string, resource: Resource, status: object, says: RegExp][] = [
    [
      'an unknown phase',
      NODE_CONFIGS,
      { phase: 'Done' },
      /(status\.)?phase: Unsupported value: "Done": supported values: "Pending", "Configuring", "Ready", "Failed"/,
    ],
    ['fewer than no pods', SHARING_POLICIES, { appliedPods: -1 }, /(status\.)?appliedPods: Invalid value: -1/],
    ['a time that is none', SHARING_POLICIES, { lastUpdateTime: 'today' }, /must be of type date-time: "today"/],
    [
      'two conditions of one type',
      SHARING_POLICIES,
      { conditions: [CONDITION, CONDITION] },
      /(status\.)?conditions\[1\]: Duplicate value: .*Enforced/,
    ],
    [
      'a condition without a reason',
      SHARING_POLICIES,
      { conditions: [{ ...CONDITION, reason: '' }] },
      /(status\.)?conditions\[0\]\.reason: Invalid value: ""/,
    ],
  ];
  for (const [sentence, resource, status, says] of refused) {
    await t.rejects(patchStatus(client, resource, status), { message: says }, sentence);
  }
}

async function showsTables(t: Test, cluster: Cluster): Promise<void> {
  const tableSchema = z.object({
    columnDefinitions: z.array(z.object({ name: z.string(), type: z.string() })),
    rows: z.array(z.object({ cells: z.array(z.unknown()) })),
  });
  const table = async (resource: Resource, name: string) => {
    const { columnDefinitions, rows } = tableSchema.parse(await asTable(cluster, `${pathOf(resource)}/${name}`));
    return Object.fromEntries(columnDefinitions.map(({ name }, i) => [name, rows[0]?.cells[i]]));
  };
  const policy = await table(SHARING_POLICIES, 'inference-mps');
  t.same(Object.keys(policy), ['Name', 'Strategy', 'Priority', 'AppliedPods', 'Age']);
  t.match(policy, { Name: 'inference-mps', Strategy: 'mps', Priority: 10 });
  t.match(await table(SHARING_POLICIES, 'apart'), { AppliedPods: 7 });
  const config = await table(NODE_CONFIGS, 'gpu-node-01-config');
  t.same(Object.keys(config), ['Name', 'Node', 'Phase', 'MIG', 'MPS', 'TimeSlicing', 'Age']);
  t.match(config, { Node: 'gpu-node-01', MIG: true, MPS: false, TimeSlicing: false });
  t.match(await table(NODE_CONFIGS, 'status'), { Phase: 'Ready' });
}

/** What kubectl asks for. */
async function asTable({ kubeConfig }: Cluster, path: string): Promise<unknown> {
  const options: Parameters<typeof kubeConfig.applyToHTTPSOptions>[0] = {};
  await kubeConfig.applyToHTTPSOptions(options);
  const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1';
  const url = new URL(path, kubeConfig.getCurrentCluster()?.server);
  const call = request(url, { ...options, headers: { ...options.headers, accept }, timeout: 10_000 }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return json(response);
}

async function servesKubectl(t: Test, { kubeconfigFile, dir }: Cluster): Promise<void> {
  const kubectl = (...args: string[]) =>
    spawnSync('kubectl', ['--kubeconfig', kubeconfigFile, '--cache-dir', join(dir, 'kubectl'), ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });
  if (kubectl('version', '--client').error) {
    t.pass('not run', { skip: 'no kubectl on this machine' });
    return;
  }
  t.match(
    kubectl('get', 'gsp', 'inference-mps').stdout,
    /^NAME +STRATEGY +PRIORITY +APPLIEDPODS +AGE\ninference-mps +mps +10 /,
  );
  t.match(
    kubectl('get', 'gnc', 'gpu-node-01-config').stdout,
    /^NAME +NODE +PHASE +MIG +MPS +TIMESLICING +AGE\ngpu-node-01-config +gpu-node-01 +true +false +false /,
  );
  t.match(
    kubectl('get', 'gpu-autoscaler').stdout,
    /gpunodeconfig\S*\/gpu-node-01-config[\s\S]*gpusharingpolicy\S*\/inference-mps/,
  );
  t.match(kubectl('explain', 'gsp.spec.mpsConfig.maxClients').stdout, /Pods that share one GPU at most/);
  const status = kubectl('get', 'gpunodeconfig', 'status', '-o', 'jsonpath={.status.mpsStatus}').stdout;
  t.same(JSON.parse(status), { enabled: true, activeClients: 8, maxClients: 16 }, "the specification's own command");
  const upgrade = kubectl('apply', '--server-side', '--force-conflicts', '-f', CRDS);
  t.equal(upgrade.status, 0, upgrade.stderr);
}

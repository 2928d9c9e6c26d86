/** What is asked of an API server, and what comes of its answers. */

import { Readable } from 'node:stream';
import tap from 'tap';
import { gather, LiveSource, SnapshotSource } from '#src/cli/doctor/gather.ts';
import type { CallOptions, Method } from '#src/kube/kube-client.ts';
import { KubeError } from '#src/kube/kube-client.ts';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { exclusiveNode } from '../../../objects/nodes.ts';
import { devicePluginSet } from '../../../objects/nvidia-components.ts';
import { deployment } from './make.ts';

const SYSTEM = 'gpu-autoscaler-system';
const DATE = 'Fri, 02 Jan 2026 00:00:00 GMT';
const list = (...items: object[]) => ({ metadata: { resourceVersion: '1' }, items });
const REGISTERED = webhookConfiguration({
  clientConfig: { service: { namespace: 'ours', name: 'hook', path: '/' } },
  caBundle: 'x',
  exemptNamespaces: [],
});

/** An API server that has these lists and objects, by path; an error is thrown; the rest is not there. */
function fakeClient(replies: Readonly<Record<string, object>>) {
  const asked: string[] = [];
  const json = async (method: Method, path: string, _options?: CallOptions): Promise<unknown> => {
    asked.push(`${method} ${path}`);
    const reply = replies[path.replace(/[?&]limit=\d+/, '')];
    if (reply instanceof Error) throw reply;
    if (!reply) throw new KubeError('not found', 404);
    return reply;
  };
  const stream = async (method: Method, path: string) => {
    await json(method, path);
    return Object.assign(Readable.from([]), { headers: { date: DATE } }) as never;
  };
  return { client: { json, stream }, asked };
}
const BASE = {
  '/version': {},
  '/api/v1/nodes': list(exclusiveNode({ name: 'a', gpus: 1 })),
  '/apis/apps/v1/daemonsets': list(devicePluginSet()),
  '/apis/apps/v1/deployments': list(deployment('d')),
  '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations': list(REGISTERED),
};
const at = (ms: number) => () => Date.parse(DATE) + ms;

tap.test('live: it only reads; what is not served or not there is empty', async (t) => {
  const { client, asked } = fakeClient(BASE);
  const { seen, unseen } = await gather(new LiveSource(client, at(500)), SYSTEM);
  t.same([...unseen], []);
  t.ok(asked.every((call) => call.startsWith('GET ')));
  t.equal(seen.nodes?.[0]?.name, 'a');
  t.equal(seen.daemonSets?.[0]?.containers[0]?.image, 'nvcr.io/nvidia/k8s-device-plugin:v0.20.0');
  t.same([seen.clusterQueues, seen.definitions, seen.leases, seen.services], [[], [], [], []]);
  t.ok(asked.includes('GET /api/v1/namespaces/ours/services/hook'), 'the Service that the registration names');
  t.strictSame(seen.clock, { aheadMs: 0, uncertaintyMs: 500 });
});

tap.test('live: the newest version of ClusterQueues that is served, page by page', async (t) => {
  const queue = { metadata: { name: 'q' }, spec: { resourceGroups: [{ coveredResources: ['cpu'] }] } };
  const old = '/apis/kueue.x-k8s.io/v1beta1/clusterqueues';
  const first = { metadata: { resourceVersion: '1', continue: 'more' }, items: [queue] };
  const { client } = fakeClient({ ...BASE, [old]: first, [`${old}&continue=more`]: list(queue) });
  const { seen } = await gather(new LiveSource(client, at(0)), SYSTEM);
  t.strictSame(seen.clusterQueues, Array(2).fill({ name: 'q', covers: ['cpu'], grants: [] }));
});

tap.test('live: the clock is compared with the middle of the request', async (t) => {
  let calls = 0;
  const { client } = fakeClient(BASE);
  const source = new LiveSource(client, () => Date.parse(DATE) + 60_500 + 1_000 * calls++);
  t.strictSame(await source.clock(), { seen: true, value: { aheadMs: 60_500, uncertaintyMs: 1_000 } });
});

tap.test('live: forbidden, broken or no list: said, and the rest goes on', async (t) => {
  const { client } = fakeClient({
    ...BASE,
    '/api/v1/nodes': new KubeError('nodes is forbidden', 403),
    '/apis/apps/v1/daemonsets': new KubeError('etcd is away', 500),
    '/apis/apps/v1/deployments': { items: 'none' },
    '/version': new KubeError('forbidden', 403),
  });
  const { seen, unseen } = await gather(new LiveSource(client, at(0)), SYSTEM);
  t.match(Object.fromEntries(unseen), {
    nodes: 'forbidden',
    daemonSets: 'etcd is away',
    deployments: /^the reply is no list: /,
    clock: 'forbidden',
  });
  t.equal(seen.webhooks?.length, 1);
});

for (const status of [undefined, 401]) {
  tap.test(`live: a cluster that cannot be asked at all (${status ?? 'no reply'})`, async (t) => {
    const { client } = fakeClient({ ...BASE, '/version': new KubeError('away', status) });
    await t.rejects(gather(new LiveSource(client, at(0)), SYSTEM), { name: 'KubeError', message: 'away' });
  });
}

tap.test('a snapshot: kinds by group, ConfigMaps by name; what is not saved is not looked at', async (t) => {
  const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'x' } });
  const objects = [
    { ...exclusiveNode({ name: 'a', gpus: 1 }) },
    { ...deployment('d') },
    { ...deployment('old'), apiVersion: 'extensions/v1beta1' },
    configMap('other'),
    configMap('cluster-autoscaler-status'),
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } },
  ];
  const manifests = objects.map((object) => ({ file: 'f', object: object as never, at: () => 'f' }));
  const { seen, unseen } = await gather(new SnapshotSource(manifests), SYSTEM);
  t.same(Object.keys(seen).sort(), ['autoscalerStatus', 'deployments', 'nodes']);
  t.same(
    seen.deployments?.map(({ name }) => name),
    ['d'],
  );
  t.equal(unseen.get('kueueConfiguration'), 'not in the snapshot');
  t.equal(unseen.get('clock'), 'a snapshot has none');
});

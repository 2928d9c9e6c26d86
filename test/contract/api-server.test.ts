/** What we rely on of the API server, asserted alike of the real one and of the fake that the other tests use. */

import tap, { type Test } from 'tap';
import { z } from 'zod';
import { KubeClient, KubeError } from '#src/kube/kube-client.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';
import { FakeApiServer } from '../fakes/api-server.ts';
import { gpuPod } from '../objects/pods.ts';

interface Subject {
  readonly client: KubeClient;
  /** A collection whose history does not reach back to version 1. */
  readonly forgetful: () => Promise<string>;
  /** A watch long enough for a bookmark; the real one sends it 2 s before the end. */
  readonly watchSeconds: number;
}

const PODS = '/api/v1/namespaces/default/pods';

const listSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().default('') }),
  items: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
});
const podSchema = z.object({
  metadata: z.object({
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ nodeName: z.string().optional() }),
});
const eventSchema = z.object({
  type: z.string(),
  object: z.object({
    metadata: z.object({ name: z.string().optional(), resourceVersion: z.string().optional() }),
    reason: z.string().optional(),
    code: z.int().optional(),
  }),
});
type Event = z.infer<typeof eventSchema>;

tap.test('the fake API server', async (t) => {
  const fake = await FakeApiServer.start(t);
  const client = new KubeClient(fake.kubeConfig);
  t.teardown(() => client.close());
  const forgetful = async () => {
    fake.store.compact();
    return '/api/v1/nodes';
  };
  await contract(t, { client, forgetful, watchSeconds: 1 });
});

tap.test('the real API server', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { client } = cluster;
  await contract(t, { client, forgetful: () => youngCollection(client), watchSeconds: 5 });
});

async function contract(t: Test, { client, forgetful, watchSeconds }: Subject): Promise<void> {
  const create = async (name: string) =>
    podSchema.parse(await client.json('POST', PODS, { body: gpuPod({ name, resources: { 'nvidia.com/gpu': 1 } }) }));
  const get = async (name: string) => podSchema.parse(await client.json('GET', `${PODS}/${name}`));
  const list = async (query: string) => {
    const { metadata, items } = listSchema.parse(await client.json('GET', `${PODS}?${query}`));
    return { ...metadata, names: items.map((item) => item.metadata.name) };
  };
  const bind = (name: string, uid: string, node: string) =>
    client.json('POST', `${PODS}/${name}/binding`, {
      body: {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace: 'default', uid, annotations: { 'gpu-autoscaler.io/allocation': '{"é":1}' } },
        target: { apiVersion: 'v1', kind: 'Node', name: node },
      },
    });
  const watch = (from: string, query = '') =>
    eventsOf(client, `${PODS}?watch=true&allowWatchBookmarks=true&resourceVersion=${from}${query}`);

  await t.test('a list in pages shows one moment, whatever happens between the pages', async (t) => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(name);
    const first = await list('limit=2');
    await client.json('DELETE', `${PODS}/e?gracePeriodSeconds=0`);
    await create('f');
    const second = await list(`limit=2&continue=${first.continue}`);
    const third = await list(`limit=2&continue=${second.continue}`);
    t.strictSame([first.names, second.names, third.names], [['a', 'b'], ['c', 'd'], ['e']]);
    t.equal(second.resourceVersion, first.resourceVersion);
    t.equal(third.resourceVersion, first.resourceVersion);
    t.equal(third.continue, '');
  });

  await t.test(
    'a watch tells what came after a version, in order, and goes on from any version that it told',
    async (t) => {
      const { resourceVersion } = await list('limit=1');
      const { metadata } = await create('g');
      await bind('g', metadata.uid, 'node-1');
      await client.json('DELETE', `${PODS}/g?gracePeriodSeconds=0`);
      const all = await take(watch(resourceVersion), (event) => event.type === 'DELETED');
      t.strictSame(new Set(all.map(({ object }) => object.metadata.name)), new Set(['g']));
      t.strictSame([...new Set(all.map(({ type }) => type))], ['ADDED', 'MODIFIED', 'DELETED']);
      const versions = all.map(({ object }) => Number(object.metadata.resourceVersion));
      t.strictSame(
        versions,
        [...new Set(versions)].sort((a, b) => a - b),
        'each has a version of its own',
      );
      for (const [i, version] of versions.slice(0, -1).entries()) {
        const rest = await take(watch(String(version)), (event) => event.type === 'DELETED');
        t.strictSame(rest, all.slice(i + 1));
      }
    },
  );

  await t.test('a watch that asks for bookmarks gets one before it ends', async (t) => {
    const { resourceVersion } = await list('limit=1');
    await create('h');
    const events: Event[] = [];
    for await (const event of watch(resourceVersion, `&timeoutSeconds=${watchSeconds}`)) {
      events.push(event);
      // The real one marks only what has happened since the watch began.
      if (events.length === 1) await create('i');
    }
    t.strictSame([...new Set(events.map(({ type }) => type))], ['ADDED', 'BOOKMARK']);
    const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    t.equal(events.at(-1)?.type, 'BOOKMARK');
    t.equal(versions.at(-1), Math.max(...versions), 'it stands for all that came before');
  });

  await t.test('a Binding puts the pod on the node and its annotations on the pod, in one request', async (t) => {
    const { metadata } = await get('a');
    await bind('a', metadata.uid, 'node-1');
    const bound = await get('a');
    t.equal(bound.spec.nodeName, 'node-1');
    t.equal(bound.metadata.annotations['gpu-autoscaler.io/allocation'], '{"é":1}');
    const events = await take(watch(metadata.resourceVersion), (event) => event.object.metadata.name === 'a');
    t.equal(events.at(-1)?.object.metadata.resourceVersion, bound.metadata.resourceVersion, 'one change');
  });

  await t.test('a second Binding is a conflict, to the same node as well', async (t) => {
    const { metadata } = await get('a');
    await refused(t, bind('a', metadata.uid, 'node-1'), 409);
    await refused(t, bind('a', metadata.uid, 'node-2'), 409);
    t.equal((await get('a')).spec.nodeName, 'node-1');
  });

  await t.test('a Binding for an earlier pod of the name is a conflict and binds nothing', async (t) => {
    await refused(t, bind('b', '00000000-0000-4000-8000-000000000000', 'node-1'), 409);
    t.equal((await get('b')).spec.nodeName, undefined);
  });

  await t.test('a pod that is not there is not found, to read or to bind', async (t) => {
    await refused(t, get('none'), 404);
    await refused(t, bind('none', '00000000-0000-4000-8000-000000000000', 'node-1'), 404);
  });

  await t.test(
    'a watch from a version that is forgotten begins well, and says 410 Expired as its one event',
    async (t) => {
      const events = await take(eventsOf(client, `${await forgetful()}?watch=true&resourceVersion=1`));
      t.strictSame(
        events.map(({ type, object: { reason, code } }) => ({ type, reason, code })),
        [{ type: 'ERROR', reason: 'Expired', code: 410 }],
      );
    },
  );

  await t.test('a watch from what is no version is refused with 500, not 400', async (t) => {
    await refused(t, take(watch('yesterday')), 500);
  });
}

async function refused(t: Test, call: Promise<unknown>, status: number): Promise<void> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  t.ok(error instanceof KubeError);
  t.equal((error as KubeError).status, status);
}

async function* eventsOf(client: KubeClient, path: string): AsyncIterable<Event> {
  const response = await client.stream('GET', path);
  let rest = '';
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield eventSchema.parse(JSON.parse(line));
    }
  } finally {
    response.destroy();
  }
}

/** Events up to the one looked for, or to the end of the watch. */
async function take(events: AsyncIterable<Event>, isLast: (event: Event) => boolean = () => false): Promise<Event[]> {
  const taken: Event[] = [];
  for await (const event of events) {
    taken.push(event);
    if (isLast(event)) break;
  }
  return taken;
}

/** A collection whose history begins now: that of a kind that has just been defined. */
async function youngCollection(client: KubeClient): Promise<string> {
  const group = 'contract.gpu-autoscaler.io';
  const schema = { openAPIV3Schema: { type: 'object' } };
  const names = { plural: 'probes', singular: 'probe', kind: 'Probe' };
  await client.json('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    body: {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `probes.${group}` },
      spec: { group, names, scope: 'Cluster', versions: [{ name: 'v1', served: true, storage: true, schema }] },
    },
  });
  const path = `/apis/${group}/v1/probes`;
  return waitFor('the new kind is served', () =>
    client.json('GET', path).then(
      () => path,
      () => false as const,
    ),
  );
}

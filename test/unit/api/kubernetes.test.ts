/** The parts of Kubernetes objects that we read: what passes the edge, and what does not. */

import tap from 'tap';
import { formatIssues, podSchema } from '#src/api/kubernetes.ts';
import { storedNodeSchema } from '#src/api/stored-objects.ts';

const POD = { metadata: { name: 'a' }, spec: { containers: [{ name: 'main' }] } };
const faultsOf = (schema: typeof podSchema | typeof storedNodeSchema, value: unknown): string | undefined => {
  const { error } = schema.safeParse(value);
  return error && formatIssues(error);
};

tap.test('a pod may leave out, or leave null, whatever we do not need', async (t) => {
  const pods = [
    POD,
    { ...POD, status: null },
    { ...POD, status: { phase: null } },
    {
      metadata: { labels: null, annotations: null, deletionTimestamp: null },
      spec: { ...POD.spec, nodeName: null, initContainers: null },
    },
    { metadata: {}, spec: { containers: [{ resources: null }, { resources: { requests: null, limits: {} } }] } },
  ];
  for (const pod of pods) t.strictSame(podSchema.parse(pod), pod);
});

tap.test('what we do not read is dropped at the edge', async (t) => {
  const full = {
    apiVersion: 'v1',
    metadata: { name: 'a', managedFields: [{}] },
    spec: { containers: [{ name: 'main', image: 'x', env: [{}] }], volumes: [{}] },
    status: { phase: 'Running', conditions: [{}] },
  };
  t.strictSame(podSchema.parse(full), { ...POD, status: { phase: 'Running' } });
  const node = { metadata: { name: 'n' }, spec: { podCIDR: '' }, status: { allocatable: { cpu: '1' }, images: [{}] } };
  t.strictSame(storedNodeSchema.parse(node), {
    metadata: { name: 'n' },
    spec: {},
    status: { allocatable: { cpu: '1' } },
  });
});

tap.test('hand-written JSON may hold a quantity as a number', async (t) => {
  const resources = { requests: { 'nvidia.com/gpu': 1, cpu: 0.5 }, limits: { memory: '1Gi' } };
  const parsed = podSchema.parse({ ...POD, spec: { containers: [{ resources }] } });
  t.strictSame(parsed.spec.containers[0]?.resources, {
    requests: { 'nvidia.com/gpu': '1', cpu: '0.5' },
    limits: { memory: '1Gi' },
  });
});

tap.test('a pod that cannot be read says where', async (t) => {
  const cases: readonly [pod: unknown, path: string][] = [
    [undefined, 'body'],
    [null, 'body'],
    ['pod', 'body'],
    [{}, 'metadata'],
    [{ metadata: {}, spec: null }, 'spec'],
    [{ metadata: {}, spec: {} }, 'spec.containers'],
    [{ metadata: {}, spec: { containers: [] } }, 'spec.containers'],
    [
      { metadata: {}, spec: { containers: [{ resources: { requests: { cpu: true } } }] } },
      'spec.containers.0.resources.requests.cpu',
    ],
    [{ metadata: {}, spec: { containers: [null] } }, 'spec.containers.0'],
    [{ ...POD, metadata: { labels: { a: 1 } } }, 'metadata.labels.a'],
    [{ ...POD, metadata: { uid: 7 } }, 'metadata.uid'],
  ];
  for (const [pod, path] of cases) t.match(faultsOf(podSchema, pod), new RegExp(`^${path}: \\w`), path);
});

tap.test('a node must have a name', async (t) => {
  t.match(faultsOf(storedNodeSchema, { metadata: {} }), /^metadata.name: /);
  t.equal(faultsOf(storedNodeSchema, { metadata: { name: 'n' } }), undefined);
});

tap.test('of many faults the first three are told', async (t) => {
  const containers = Array.from({ length: 50 }, () => null);
  const told = faultsOf(podSchema, { metadata: {}, spec: { containers } }) ?? '';
  t.strictSame(
    told.split('; ').map((fault) => fault.split(':')[0]),
    ['spec.containers.0', 'spec.containers.1', 'spec.containers.2'],
  );
});

tap.test('a key that is special to JavaScript is only a key', async (t) => {
  const pod = JSON.parse('{"metadata":{"labels":{"__proto__":"x","constructor":"y"}},"spec":{"containers":[{}]}}');
  const { labels } = podSchema.parse(pod).metadata;
  t.equal(Object.getPrototypeOf(labels ?? {}), Object.prototype);
  t.equal(labels?.constructor, 'y');
});

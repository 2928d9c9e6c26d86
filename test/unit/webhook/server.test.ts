/** From AdmissionReview to reply: what is patched, what is warned of, what is left alone. */

import { applyPatch, type Operation } from 'rfc6902';
import tap from 'tap';
import { cpuMs } from '../../objects/cpu-time.ts';
import { gpuPod } from '../../objects/pods.ts';
import { makeWebhook, NOW, reviewOf } from './make.ts';

const URL = '/mutate-v1-pod';
const KEY = 'gpu-autoscaler.io/';
const INFERENCE = { [`${KEY}workload-type`]: 'inference' };
const server = makeWebhook();

interface Answer {
  readonly pod: Pod;
  readonly patched: boolean;
  readonly warnings: readonly string[];
}
interface Pod {
  readonly metadata: { readonly annotations?: Record<string, string> };
  readonly spec: {
    readonly schedulerName: string;
    readonly containers: readonly object[];
    readonly initContainers: readonly object[];
  };
}

/** The pod as the API server would go on with it. */
async function admit(pod: unknown, more: object = {}): Promise<Answer> {
  const reply = await server.inject({ method: 'POST', url: URL, payload: reviewOf(pod, more) });
  if (reply.statusCode !== 200) throw new Error(`${reply.statusCode}: ${reply.body}`);
  const { apiVersion, kind, response } = reply.json();
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview' || response.allowed !== true) {
    throw new Error(`not an admission: ${reply.body}`);
  }
  const after = structuredClone(pod) as Pod;
  if (response.patch !== undefined) {
    if (response.patchType !== 'JSONPatch') throw new Error(`a patch of type ${response.patchType}`);
    const operations: Operation[] = JSON.parse(Buffer.from(response.patch, 'base64').toString());
    const faults = applyPatch(after, operations).filter((fault) => fault !== null);
    if (faults.length > 0) throw faults[0];
  }
  return { pod: after, patched: response.patch !== undefined, warnings: response.warnings ?? [] };
}

/** A pod as people write it: requests alone. */
function plainPod(more: { labels?: object; annotations?: object; spec?: object } = {}): object {
  const { labels, annotations, spec } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: {
      schedulerName: 'default-scheduler',
      containers: [{ name: 'main', image: 'none', resources: { requests: { cpu: '2', 'nvidia.com/gpu': '1' } } }],
      ...spec,
    },
  };
}

tap.test('a shared pod: the resource is renamed, request = limit, everything else stays', async (t) => {
  const before = plainPod({ labels: INFERENCE, annotations: { 'a/b': 'kept' } });
  const { pod, warnings } = await admit(before);
  t.same(pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'pod',
      labels: INFERENCE,
      annotations: {
        'a/b': 'kept',
        [`${KEY}original-gpu-request`]: '1',
        [`${KEY}optimized`]: 'true',
        [`${KEY}optimization-strategy`]: 'mps',
        [`${KEY}optimization-timestamp`]: NOW.toISOString(),
        [`${KEY}optimization-reason`]:
          'skipped MIG: no GPU memory is declared; considered MPS: inference takes a slot of 1/8 GPU (5Gi), offered by 1 node',
      },
    },
    spec: {
      schedulerName: 'gpu-autoscaler-scheduler',
      containers: [
        {
          name: 'main',
          image: 'none',
          resources: {
            requests: { cpu: '2', 'nvidia.com/gpu.shared': '1' },
            limits: { 'nvidia.com/gpu.shared': '1' },
          },
        },
      ],
    },
  });
  t.same(warnings, []);
});

tap.test('what has been decided once is left alone the second time', async (t) => {
  const { pod } = await admit(plainPod({ labels: INFERENCE }));
  const again = await admit(pod);
  t.notOk(again.patched);
});

tap.test('init containers and sidecars are rewritten as well', async (t) => {
  const resources = { limits: { 'nvidia.com/gpu': '1' } };
  const initContainers = [
    { name: 'warm-up', image: 'none', resources },
    { name: 'none', image: 'none' },
    { name: 'empty', image: 'none', resources: null },
  ];
  const { pod } = await admit(plainPod({ labels: INFERENCE, spec: { initContainers } }));
  const rewritten = { requests: { 'nvidia.com/gpu.shared': '1' }, limits: { 'nvidia.com/gpu.shared': '1' } };
  t.same(pod.spec.initContainers, [{ ...initContainers[0], resources: rewritten }, ...initContainers.slice(1)]);
});

tap.test('a request and a limit that differ are the API server’s to refuse', async (t) => {
  const resources = { requests: { 'nvidia.com/gpu': '1' }, limits: { 'nvidia.com/gpu': '2' } };
  const { pod } = await admit(plainPod({ labels: INFERENCE, spec: { containers: [{ name: 'main', resources }] } }));
  t.same(pod.spec.containers, [
    {
      name: 'main',
      resources: { requests: { 'nvidia.com/gpu.shared': '1' }, limits: { 'nvidia.com/gpu.shared': '2' } },
    },
  ]);
});

tap.test('a pod that asks for slots by name is ours to place, and nothing is decided for it', async (t) => {
  const resources = { limits: { 'nvidia.com/mig-2g.10gb': '1' } };
  const { pod } = await admit(plainPod({ spec: { containers: [{ name: 'main', resources }] } }));
  t.equal(pod.spec.schedulerName, 'gpu-autoscaler-scheduler');
  t.equal(pod.metadata.annotations, undefined);
});

const LEFT_ALONE: readonly [what: string, pod: object, more?: object][] = [
  ['no GPU', gpuPod({ name: 'pod' })],
  ['an exempt namespace', plainPod({ labels: INFERENCE }), { namespace: 'kube-system' }],
  ['our own namespace', plainPod({ labels: INFERENCE }), { namespace: 'gpu-autoscaler-system' }],
  ['optimize: "false"', plainPod({ labels: INFERENCE, annotations: { [`${KEY}optimize`]: 'false' } })],
  ['another scheduler', plainPod({ labels: INFERENCE, spec: { schedulerName: 'volcano' } })],
  ['a node of its own', plainPod({ labels: INFERENCE, spec: { nodeName: 'whole' } })],
  [
    'the node of a DaemonSet',
    plainPod({
      labels: INFERENCE,
      spec: {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['whole'] }] }],
            },
          },
        },
      },
    }),
  ],
  ['an update', plainPod({ labels: INFERENCE }), { operation: 'UPDATE' }],
  ['a subresource', plainPod({ labels: INFERENCE }), { subResource: 'ephemeralcontainers' }],
  ['another kind', plainPod({ labels: INFERENCE }), { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }],
];
for (const [what, pod, more] of LEFT_ALONE) {
  tap.test(`${what}: not a byte changes`, async (t) => {
    const { patched, warnings } = await admit(pod, more);
    t.notOk(patched);
    t.same(warnings, []);
  });
}

const WARNED: readonly [what: string, pod: object | null, says: RegExp][] = [
  [
    'an unknown mode',
    plainPod({ annotations: { [`${KEY}sharing-mode`]: 'turbo' } }),
    /sharing-mode: "turbo" is not one of/,
  ],
  ['an unknown type', plainPod({ labels: { [`${KEY}workload-type`]: 'yoga' } }), /workload-type: "yoga" is not one of/],
  [
    'a memory of NaN',
    plainPod({ annotations: { [`${KEY}gpu-memory`]: 'NaN' } }),
    /gpu-memory: "NaN" is not a Kubernetes/,
  ],
  ['a fraction of NaN', plainPod({ annotations: { [`${KEY}gpu-fraction`]: 'NaN' } }), /gpu-fraction: "NaN"/],
  ['a hostile value', plainPod({ annotations: { [`${KEY}optimize`]: 'x'.repeat(100_000) } }), /optimize: "xxx/],
  [
    'a quantity that cannot be read',
    plainPod({ spec: { containers: [{ name: 'c', resources: { limits: { 'nvidia.com/gpu': '0.5' } } }] } }),
    /not optimized: .*container c, nvidia\.com\/gpu: "0\.5" is not a whole number/,
  ],
  ['a pod that is none', { metadata: {} }, /not optimized: spec: /],
  ['no pod at all', null, /not optimized: /],
];
for (const [what, pod, says] of WARNED) {
  tap.test(`${what}: admitted as it is, with a warning of one line`, async (t) => {
    const { patched, warnings } = await admit(pod);
    t.notOk(patched);
    t.ok(
      warnings.some((warning) => says.test(warning)),
      warnings.join('\n'),
    );
    t.ok(warnings.every((warning) => warning.length <= 256 && /^gpu-autoscaler: [^\n]*$/.test(warning)));
  });
}

tap.test(
  'annotations that leave no room for ours: admitted as it is, since the API server would refuse more',
  async (t) => {
    const pod = (bytes: number) => plainPod({ labels: INFERENCE, annotations: { a: 'x'.repeat(bytes - 1) } });
    const full = await admit(pod(256 * 1024));
    t.notOk(full.patched);
    t.match(full.warnings, [/its annotations and ours would be larger than Kubernetes takes/]);
    t.ok((await admit(pod(255 * 1024))).patched);
  },
);

tap.test('a mode that nobody offers: a whole GPU, and the author is told', async (t) => {
  const { pod, warnings } = await admit(plainPod({ annotations: { [`${KEY}mig-profile`]: '7g.80gb' } }));
  t.equal(pod.metadata.annotations?.[`${KEY}optimization-strategy`], 'exclusive');
  t.match(warnings, [/MIG profile 7g\.80gb was asked for, but no node offers/]);
});

const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const gpu = { requests: { 'nvidia.com/gpu': '1' } };
const LARGE: readonly [what: string, containers: readonly object[]][] = [
  [
    'with 20,000 variables of environment',
    [{ name: 'main', resources: gpu, env: many(20_000, (i) => ({ name: `E${i}`, value: 'v' })) }],
  ],
  ['of 5,000 containers', many(5_000, (i) => ({ name: `c${i}`, ...(i === 0 && { resources: gpu }), env: [] }))],
  [
    'of 10,000 containers that ask for a resource each',
    many(10_000, (i) => ({
      name: `c${i}`,
      resources: { limits: { [`nvidia.com/mig-${1 + (i % 9)}g.${1 + Math.floor(i / 9)}gb`]: '1' } },
    })),
  ],
  [
    'that asks for 20,000 resources by name',
    [
      {
        name: 'main',
        resources: {
          requests: Object.fromEntries(
            many(20_000, (i) => [`nvidia.com/mig-${1 + (i % 9)}g.${1 + Math.floor(i / 9)}gb`, 1]),
          ),
        },
      },
    ],
  ],
];
for (const [what, containers] of LARGE) {
  tap.test(`a pod ${what} holds nobody up`, async (t) => {
    const started = cpuMs();
    const { patched } = await admit(plainPod({ labels: INFERENCE, spec: { containers } }));
    t.ok(patched);
    t.ok(cpuMs() - started < 2_000, 'less than the API server waits');
  });
}

tap.test('before nodes are known pods are admitted as they are, and told so', async (t) => {
  const waiting = makeWebhook('waiting for the list of nodes');
  const reply = await waiting.inject({ method: 'POST', url: URL, payload: reviewOf(plainPod({ labels: INFERENCE })) });
  t.equal(reply.statusCode, 200);
  t.match(reply.json().response, { allowed: true, warnings: [/not optimized: waiting for the list of nodes/] });
  t.equal(reply.json().response.patch, undefined);
  t.match((await waiting.inject('/metrics')).body, /webhook_decisions_total\{strategy="error"\} 1/);
});

const BAD: readonly [what: string, body: string, status: number, code: string][] = [
  ['no JSON', '{', 400, 'InvalidJson'],
  ['another envelope', '{"kind":"AdmissionReview"}', 400, 'InvalidEnvelope'],
  [
    'a version that we do not speak',
    JSON.stringify({ ...reviewOf({}), apiVersion: 'admission.k8s.io/v1beta1' }),
    400,
    'InvalidEnvelope',
  ],
  ['a body of 10 MB', `"${'x'.repeat(10_000_000)}"`, 413, 'BodyTooLarge'],
];
for (const [what, payload, status, code] of BAD) {
  tap.test(`${what}: HTTP ${status} ${code}`, async (t) => {
    const reply = await server.inject({
      method: 'POST',
      url: URL,
      payload,
      headers: { 'content-type': 'application/json' },
    });
    t.equal(reply.statusCode, status);
    t.match(reply.json(), { code, message: String });
  });
}

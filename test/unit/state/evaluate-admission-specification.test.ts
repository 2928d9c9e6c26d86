/** The specification, 2 to 5: each row of its lists and tables, by pods as people write them. */

import tap from 'tap';
import { suitsMps } from '#src/core/admission/replicas.ts';
import type { HistoryOf } from '#src/state/evaluate-admission.ts';
import { migNode, timeSlicingNode } from '../../objects/nodes.ts';
import { judged, NODES, type PodParts, podOf, type World } from './evaluating.ts';

const type = (name: string): PodParts => ({ labels: { 'workload-type': name } });
const MEMORY = (text: string): PodParts => ({ annotations: { 'gpu-memory': text } });
/** What Prometheus knows of every workload: mean and 95th percentile. */
const past = (mean: number, p95 = mean): Pick<World, 'historyOf'> => {
  const history = { mean, p95, peakMiB: undefined, suitsMps: suitsMps({ mean, p95 }, undefined) };
  const known: HistoryOf = () => ({ known: true, history });
  return { historyOf: known };
};
const policyOf = (workload: string, spec: object): Pick<World, 'policies'> => ({
  policies: {
    printed: { podSelector: { matchLabels: { 'gpu-autoscaler.io/workload-type': workload } }, ...spec },
  },
});
const WHOLE_INSTANCE = migNode({ name: 'm', gpus: 1, layout: { '7g.40gb': 1 } });
const SLICES = [2, 4, 8].map((replicas) => timeSlicingNode({ name: `r${replicas}`, gpus: 1, replicas }));

const rows: readonly [row: string, pod: PodParts, world: World, becomes: string][] = [
  // 2. MIG: when to use it.
  ['MIG is ideal for small batch processing workloads', { ...type('batch'), ...MEMORY('4Gi') }, {}, 'mig mig-1g.5gb'],
  ['MIG is ideal for workloads that require <20GB GPU memory', MEMORY('19Gi'), {}, 'mig mig-3g.20gb'],
  [
    'MIG is ideal for applications that need hardware isolation',
    { annotations: { 'sharing-mode': 'mig' } },
    {},
    'mig mig-1g.5gb',
  ],
  [
    'MIG is ideal for multi-tenant environments',
    type('inference'),
    {
      namespaces: { team: { tenant: 'true' } },
      policies: { tenants: { strategy: 'mig', namespaceSelector: { matchLabels: { tenant: 'true' } } } },
    },
    'mig mig-1g.5gb by tenants',
  ],
  [
    'MIG is not suitable for training that requires a full GPU',
    { ...type('training'), ...MEMORY('4Gi') },
    {},
    'exclusive',
  ],
  ['MIG is not suitable for P2P communication: several GPUs', { ...MEMORY('4Gi'), gpus: 2 }, {}, 'exclusive'],
  [
    'MIG is not suitable for >40GB memory on A100 of 40 GB',
    { ...type('batch'), ...MEMORY('41Gi') },
    { nodes: [WHOLE_INSTANCE] },
    'exclusive',
  ],
  [
    'MIG: the printed configuration: the default profile, where memory is not declared',
    { annotations: { sharing: 'enabled', 'sharing-mode': 'mig' } },
    {
      configuration: {
        sharing: {
          mig: {
            enabled: true,
            autoConfig: true,
            defaultProfile: '1g.5gb',
            nodeSelector: { 'nvidia.com/mig.capable': 'true' },
          },
        },
        admissionWebhook: { optimization: { enableMIG: true } },
      },
    },
    'mig mig-1g.5gb',
  ],
  [
    'MIG: the printed policy',
    type('batch'),
    policyOf('batch', { strategy: 'mig', priority: 10, migConfig: { autoSelectProfile: true } }),
    'mig mig-1g.5gb by printed',
  ],
  [
    'MIG: the printed annotations, with the profile',
    { annotations: { sharing: 'enabled', 'sharing-mode': 'mig', 'mig-profile': '1g.5gb' } },
    {},
    'mig mig-1g.5gb',
  ],

  // 3. MPS: when to use it.
  ['MPS is ideal for inference with <50% GPU utilization', type('inference'), past(0.1, 0.9), 'mps gpu.shared'],
  [
    'MPS is ideal for multiple concurrent processes on the same GPU',
    { annotations: { 'sharing-mode': 'mps' } },
    {},
    'mps gpu.shared',
  ],
  ['MPS is ideal for model serving applications', type('serving'), {}, 'mps gpu.shared'],
  ['MPS is ideal for real-time inference services', type('inference'), {}, 'mps gpu.shared'],
  ['MPS is not suitable for training', { ...type('training') }, {}, 'exclusive'],
  ['MPS is not suitable for high GPU utilization (>60%)', type('inference'), past(0.61), 'exclusive'],
  [
    'MPS is not suitable for workloads that require exclusive GPU access',
    { ...type('inference'), annotations: { 'sharing-mode': 'exclusive' } },
    {},
    'exclusive',
  ],
  [
    'MPS: the printed configuration: nodes that are capable of it',
    type('inference'),
    { configuration: { sharing: { mps: { nodeSelector: { 'nvidia.com/mps.capable': 'true' } } } } },
    'mps gpu.shared',
  ],
  [
    'MPS: the printed policy',
    type('inference'),
    policyOf('inference', { strategy: 'mps', priority: 10, mpsConfig: { maxClients: 16, memoryLimitMB: 2048 } }),
    'mps gpu.shared by printed',
  ],
  [
    'MPS: the printed labels',
    {
      ...type('inference'),
      annotations: { sharing: 'enabled' },
      spec: {
        containers: [
          { name: 'server', image: 'pytorch/torchserve:latest', resources: { requests: { 'nvidia.com/gpu': 1 } } },
        ],
      },
    },
    {},
    'mps gpu.shared',
  ],

  // 4. Time-slicing: when to use it.
  ['time-slicing is ideal for development workloads', type('development'), {}, 'timeslicing gpu.shared'],
  ['time-slicing is ideal for testing workloads', type('testing'), {}, 'timeslicing gpu.shared'],
  ['time-slicing is ideal for Jupyter notebooks', type('jupyter'), {}, 'timeslicing gpu.shared'],
  ['time-slicing is ideal for notebooks by that name', type('notebook'), {}, 'timeslicing gpu.shared'],
  [
    'time-slicing is ideal for Jupyter notebooks that say nothing',
    { spec: { containers: [{ image: 'jupyter/scipy-notebook', resources: { requests: { 'nvidia.com/gpu': 1 } } }] } },
    {},
    'timeslicing gpu.shared',
  ],
  ['time-slicing is ideal for batch processing with short GPU operations', type('batch'), {}, 'timeslicing gpu.shared'],
  [
    'time-slicing is ideal for interactive workloads with <60% utilization',
    type('development'),
    { nodes: SLICES, ...past(0.59) },
    'timeslicing gpu.shared',
  ],
  ['time-slicing is not suitable for training', { ...type('training') }, {}, 'exclusive'],
  [
    'time-slicing is not suitable for real-time inference: not even where nobody offers MPS',
    type('inference'),
    { nodes: SLICES },
    'exclusive',
  ],
  [
    'time-slicing is not suitable for high-performance computing',
    { spec: { containers: [{ command: ['mpirun', 'solve'], resources: { requests: { 'nvidia.com/gpu': 1 } } }] } },
    {},
    'exclusive',
  ],
  [
    'time-slicing: the printed policy',
    type('development'),
    policyOf('development', {
      strategy: 'timeslicing',
      priority: 5,
      timeSlicingConfig: { replicasPerGPU: 4, sliceMs: 100, fairnessMode: 'roundrobin' },
    }),
    'timeslicing gpu.shared by printed',
  ],

  // 5. The webhook: what it selects.
  ['it selects MIG for small workloads (<20GB memory)', MEMORY('8Gi'), {}, 'mig mig-2g.10gb'],
  [
    'the label memory-requirement declares memory as well',
    { labels: { 'memory-requirement': '8Gi' } },
    {},
    'mig mig-2g.10gb',
  ],
  ['it selects MPS for inference workloads', type('inference'), {}, 'mps gpu.shared'],
  ['it selects time-slicing for dev workloads', type('development'), {}, 'timeslicing gpu.shared'],
  ['it selects time-slicing for batch workloads', type('batch'), {}, 'timeslicing gpu.shared'],
  ['it selects exclusive for training workloads', type('training'), {}, 'exclusive'],
  // The decision flow, in its order.
  ['flow: training comes before small memory', { ...type('training'), ...MEMORY('1Gi') }, {}, 'exclusive'],
  ['flow: small memory comes before inference', { ...type('inference'), ...MEMORY('1Gi') }, {}, 'mig mig-1g.5gb'],
  ['flow: small memory comes before development', { ...type('development'), ...MEMORY('1Gi') }, {}, 'mig mig-1g.5gb'],
  ['flow: 20 GiB is not small', MEMORY('20Gi'), { nodes: [WHOLE_INSTANCE] }, 'exclusive'],
  ['flow: just under 20 GiB is small', MEMORY('20479Mi'), { nodes: [WHOLE_INSTANCE] }, 'mig mig-7g.40gb'],
  ['flow: small memory is a matter of GPU=1', { ...MEMORY('1Gi'), gpus: 2 }, {}, 'exclusive'],
  // Supported types.
  ['label training: exclusive GPU', type('training'), {}, 'exclusive'],
  ['label inference: MPS', type('inference'), {}, 'mps gpu.shared'],
  ['label development: time-slicing', type('development'), {}, 'timeslicing gpu.shared'],
  ['label batch: MIG, if its memory is known', { ...type('batch'), ...MEMORY('8Gi') }, {}, 'mig mig-2g.10gb'],
  ['label batch: or time-slicing', type('batch'), {}, 'timeslicing gpu.shared'],
  ['label serving: MPS', type('serving'), {}, 'mps gpu.shared'],
  // Opting out.
  ['optimize: "false"', { ...type('inference'), annotations: { optimize: 'false' } }, {}, 'leave'],
  ['sharing: disabled', { ...type('inference'), annotations: { sharing: 'disabled' } }, {}, 'exclusive'],
  ['mps-enabled: "false"', { ...type('inference'), annotations: { 'mps-enabled': 'false' } }, {}, 'exclusive'],
  [
    'mps-enabled: "false" of a small pod',
    { ...type('inference'), annotations: { 'mps-enabled': 'false', 'gpu-memory': '4Gi' } },
    {},
    'mig mig-1g.5gb',
  ],
  [
    'exemptNamespaces',
    type('inference'),
    { configuration: { admissionWebhook: { exemptNamespaces: ['kube-system', 'team'] } } },
    'leave',
  ],
  [
    'enableMPS: false',
    type('inference'),
    { configuration: { admissionWebhook: { optimization: { enableMPS: false } } } },
    'exclusive',
  ],
  [
    'rewriteRequests: false',
    type('inference'),
    { configuration: { admissionWebhook: { rewriteRequests: false } } },
    'exclusive',
  ],
  [
    'a namespaceSelector, to test in staging first',
    type('development'),
    {
      namespaces: { team: { environment: 'staging' } },
      policies: {
        staging: { strategy: 'mps', namespaceSelector: { matchLabels: { environment: 'staging' } } },
      },
    },
    'mps gpu.shared by staging',
  ],
];
for (const [row, pod, world, becomes] of rows) {
  tap.test(row, async (t) => {
    const result = judged(podOf(pod), world);
    t.equal(result.becomes, becomes, result.reasons.join('; '));
  });
}

/** The table of replicas: utilisation, its 95th percentile, and the slot that is taken. */
const replicas: readonly [row: string, mean: number, p95: number, slot: string][] = [
  ['<20%, >70%: 8', 0.1, 0.9, 'a slot of 1/8 GPU (5Gi)'],
  ['20-40%, >50%: 4', 0.3, 0.9, 'a slot of 1/4 GPU (10Gi)'],
  ['40-60%, any: 2', 0.5, 0.5, 'a slot of 1/2 GPU (20Gi)'],
];
for (const [row, mean, p95, slot] of replicas) {
  tap.test(`optimal replicas: ${row}`, async (t) => {
    const { reasons } = judged(podOf(type('development')), { nodes: SLICES, ...past(mean, p95) });
    t.equal(reasons.at(-1), `considered time-slicing: development takes ${slot}, offered by 1 node`);
  });
}
tap.test('optimal replicas: >60%, any: 1 (no sharing)', async (t) => {
  t.equal(judged(podOf(type('development')), { nodes: SLICES, ...past(0.7, 1) }).becomes, 'exclusive');
});

/** Fairness modes, on slots of a half and of a quarter. */
const fairness: readonly [mode: string, pod: PodParts, slot: string][] = [
  ['roundrobin', { spec: { priority: 1000 } }, 'a slot of 1/8 GPU (5Gi)'],
  ['priority', { spec: { priority: 1000 } }, 'a slot of 1/2 GPU (20Gi)'],
  ['priority', { spec: { priority: 0 } }, 'a slot of 1/8 GPU (5Gi)'],
  ['weighted', { annotations: { 'gpu-fraction': '0.2' } }, 'a slot of 1/4 GPU (10Gi)'],
];
for (const [fairnessMode, pod, slot] of fairness) {
  tap.test(`fairnessMode: ${fairnessMode} of ${JSON.stringify(pod)}`, async (t) => {
    const container = { resources: { requests: { 'nvidia.com/gpu': 1 } } };
    const manifest = podOf({ ...type('development'), ...pod, spec: { containers: [container], ...pod.spec } });
    const configuration = { sharing: { timeSlicing: { fairnessMode } } };
    const { reasons } = judged(manifest, { nodes: SLICES, configuration });
    t.equal(reasons.at(-1), `considered time-slicing: development takes ${slot}, offered by 1 node`);
  });
}

tap.test('everything but what the cluster offers is as before: no node, no sharing', async (t) => {
  t.equal(judged(podOf(type('inference')), { nodes: [] }).becomes, 'exclusive');
  t.equal(judged(podOf(type('inference')), { nodes: NODES }).becomes, 'mps gpu.shared');
});

/** Cases of admission at random: valid as a rule, with what people leave behind, and now and then a fault. */

import fc from 'fast-check';
import { suitsMps } from '#src/core/admission/replicas.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { exclusiveNode, migNode, mpsNode, T4, timeSlicingNode } from '../objects/nodes.ts';
import { KEY } from '../unit/state/evaluating.ts';

const pool = (name: string) => ({ labels: { pool: name } });
const NODES: readonly object[] = [
  exclusiveNode({ name: 'whole-a', gpus: 2, ...pool('a') }),
  exclusiveNode({ name: 'whole-t4', gpus: 4, gpu: T4, ...pool('b') }),
  mpsNode({ name: 'mps-8', gpus: 1, replicas: 8, ...pool('a') }),
  mpsNode({ name: 'mps-48', gpus: 1, replicas: 48, ...pool('b') }),
  timeSlicingNode({ name: 'slices-4', gpus: 1, replicas: 4, ...pool('a') }),
  timeSlicingNode({ name: 'slices-2', gpus: 1, replicas: 2, gpu: T4, ...pool('b') }),
  migNode({ name: 'mig-small', gpus: 1, layout: { '1g.5gb': 2, '2g.10gb': 1 }, ...pool('a') }),
  migNode({ name: 'mig-large', gpus: 2, layout: { '3g.20gb': 2 }, ...pool('b') }),
  migNode({ name: 'mig-whole', gpus: 2, layout: { '7g.40gb': 1 } }),
];

/** Once in eight times, or more often. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight, arbitrary });
const mostly = <T>(value: T, ...others: T[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(value) }, fc.constantFrom(...others));
const pick = <T>(...values: T[]) => fc.constantFrom(...values);
/** A record whose undefined fields are left out. */
const sparse = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> =>
  fc
    .record(fields)
    .map((record) => Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)));

const policySpec = fc
  .record({
    strategy: pick('mig', 'mps', 'timeslicing', 'exclusive', 'auto'),
    priority: fc.integer({ min: 0, max: 2 }),
    podSelector: rarely(
      pick({ matchLabels: { app: 'web' } }, { matchExpressions: [{ key: 'app', operator: 'Exists' }] }),
    ),
    namespaceSelector: rarely(pick({ matchLabels: { environment: 'staging' } })),
    nodeSelector: rarely(pick({ pool: 'a' }, { pool: 'b' }, { pool: 'nobody' })),
    migConfig: rarely(sparse({ profile: pick('1g.5gb', '2g.10gb', '4g.20gb'), autoSelectProfile: fc.boolean() }), 4),
    mpsConfig: rarely(
      sparse({
        maxClients: pick(2, 8, 16),
        defaultActiveThreads: pick(undefined, 1, 6, 100),
        memoryLimitMB: pick(undefined, 512, 2_048, 11_520),
      }),
      4,
    ),
    timeSlicingConfig: rarely(
      sparse({ replicasPerGPU: pick(2, 4, 10), fairnessMode: pick('roundrobin', 'priority', 'weighted') }),
      4,
    ),
  })
  .map(({ strategy, migConfig, mpsConfig, timeSlicingConfig, ...spec }) => ({
    ...Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)),
    strategy,
    ...(['mig', 'auto'].includes(strategy) && migConfig && { migConfig }),
    ...(['mps', 'auto'].includes(strategy) && mpsConfig && { mpsConfig }),
    ...(['timeslicing', 'auto'].includes(strategy) && timeSlicingConfig && { timeSlicingConfig }),
  }));

const mode = (more: Record<string, fc.Arbitrary<unknown>> = {}) =>
  sparse({
    enabled: rarely(fc.constant(false)),
    autoConfig: fc.boolean(),
    nodeSelector: rarely(pick({ pool: 'a' })),
    ...more,
  });
const configuration = sparse({
  binPacking: sparse({ enabled: fc.boolean() }),
  sharing: sparse({
    mig: mode({ defaultProfile: pick(undefined, '1g.5gb', '3g.20gb') }),
    mps: mode({ defaultActiveThreads: pick(100, 1, 5), resources: sparse({ memoryLimitMB: pick(undefined, 1_024) }) }),
    timeSlicing: mode({ fairnessMode: pick('roundrobin', 'priority'), oversubscribe: fc.boolean() }),
  }),
  admissionWebhook: sparse({ rewriteRequests: rarely(fc.constant(false)), exemptNamespaces: pick(['kube-system']) }),
});

const history = rarely(
  fc
    .record({
      mean: fc.double({ min: 0, max: 1, noNaN: true }),
      bursts: pick(0, 0.6, 0.9),
      peakMiB: pick(undefined, 1_000.5, 9_000),
    })
    .map(({ mean, bursts, peakMiB }) => {
      const used = { mean, p95: Math.min(1, mean / (1 - bursts)) };
      return { ...used, peakMiB, suitsMps: suitsMps(used, undefined) };
    }),
  2,
);

/** Requests and limits as people write them: either, or both alike. */
const resources = fc
  .record({
    name: mostly(WHOLE_GPU, SHARED_GPU, 'nvidia.com/mig-1g.5gb', 'cpu'),
    count: fc.oneof({ weight: 6, arbitrary: pick<string | number>('1', 1) }, pick<string | number>('2', 0)),
    where: pick(['requests'], ['limits'], ['requests', 'limits']),
    zero: fc.boolean(),
  })
  .map(({ name, count, where, zero }) =>
    // Whoever copies manifests leaves a count of 0 behind.
    Object.fromEntries(
      where.map((list) => [list, { [name]: count, ...(zero && name === WHOLE_GPU && { [SHARED_GPU]: 0 }) }]),
    ),
  );
const container = sparse({
  image: rarely(pick('vllm/vllm-openai:1', 'jupyter/scipy-notebook:1', 'team/app:1'), 3),
  command: rarely(pick(['python', 'train.py'], ['ffmpeg'])),
  resources: rarely(resources),
  env: rarely(pick([{ name: 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE', value: '3' }], [{ name: 'A', value: 'b' }])),
});
/** The one that asks for a GPU, as a rule. */
const asking = fc.tuple(container, resources).map(([each, own]) => ({ ...each, resources: own }));
/** No two containers of a pod have one name. */
const named = (prefix: string) => (list: readonly object[]) =>
  list.map((each, i) => ({ name: `${prefix}${i}`, ...each }));

const keys = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  sparse(Object.fromEntries(Object.entries(fields).map(([key, arbitrary]) => [KEY + key, arbitrary])));
const switches = () => rarely(pick('false', 'true'));
const annotations = keys({
  optimize: rarely(pick('false', 'true')),
  sharing: rarely(pick('enabled', 'disabled')),
  'sharing-mode': rarely(mostly('mps', 'mig', 'timeslicing', 'time-slicing', 'exclusive', 'turbo')),
  'mig-profile': rarely(pick('1g.5gb', '2g.10gb', '4g.20gb')),
  'mig-enabled': switches(),
  'mps-enabled': switches(),
  'time-slicing-enabled': switches(),
  'gpu-memory': rarely(mostly('512Mi', '4Gi', '8Gi', '19Gi', '20Gi', '30Gi', '100Gi', 'lots'), 4),
  'gpu-fraction': rarely(pick('0.1', '250m', '1')),
});
const labels = fc
  .tuple(
    keys({ 'workload-type': rarely(mostly('inference', 'training', 'serving', 'development', 'batch', 'yoga'), 12) }),
    rarely(pick({ app: 'web' }, { app: 'db' }), 4),
  )
  .map((parts) => Object.assign({}, ...parts));
const term = pick(
  {},
  { matchExpressions: [{ key: 'pool', operator: 'In', values: ['a'] }] },
  { matchExpressions: [{ key: 'pool', operator: 'NotIn', values: ['a'] }] },
  { matchExpressions: [{ key: 'pool', operator: 'DoesNotExist' }] },
);
const spec = fc
  .record({
    containers: fc
      .tuple(asking, rarely(container))
      .map((list) => list.filter((each) => each !== undefined))
      .map(named('c')),
    initContainers: rarely(fc.array(container, { maxLength: 2 }).map(named('init'))),
    schedulerName: mostly('default-scheduler', undefined, 'gpu-autoscaler-scheduler', 'volcano'),
    nodeSelector: rarely(pick({ pool: 'a' }, { pool: 'b' }, {})),
    priority: rarely(pick(-5, 1_000)),
    nodeName: mostly(undefined, 'whole-a'),
    schedulingGates: rarely(pick([{ name: 'example.com/wait' }])),
    terms: rarely(fc.array(term, { minLength: 1, maxLength: 2 })),
  })
  .map(({ terms: nodeSelectorTerms, ...fields }) => ({
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)),
    ...(nodeSelectorTerms && {
      affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
    }),
  }));

/** A pod, and the cluster, policies, configuration and past that it meets. */
export const anyCase = fc.record({
  nodes: fc.subarray([...NODES], { minLength: 3 }),
  policies: fc.dictionary(pick('a', 'b', 'c', 'd'), policySpec),
  configuration,
  history,
  namespace: fc.oneof({ weight: 5, arbitrary: pick('team', 'staging') }, pick('new', 'kube-system')),
  pod: fc.record({ metadata: fc.record({ name: pick('pod'), labels, annotations }), spec }),
});
export type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never;

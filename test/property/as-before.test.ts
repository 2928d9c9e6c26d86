/**
 * An install never stops what ran: for any cluster and pod, if the pod would have been bound without us, it is bound with us.
 * kube-scheduler's part is played here: resources, taints, cordons, nodeSelector. A pod that declares a need of GPU memory
 * or share waits for a slot that is known to have it, so of the nodes that would have taken it only those count. A pod that
 * was promised a slot that is still to be made is bound when the planner makes it: the real one is asked, on the idle cluster.
 *
 * AS_BEFORE_RUNS sets the number of cases.
 */

import fc from 'fast-check';
import tap from 'tap';
import { admissionPodSchema, nodeConstraintsOf } from '#src/api/admission-pod.ts';
import { type Configuration, configurationSchema } from '#src/api/configuration.ts';
import { podSchema } from '#src/api/kubernetes.ts';
import { workloadOf } from '#src/api/workload.ts';
import { fit } from '#src/core/fit.ts';
import { equalTo, matches } from '#src/core/label-selector.ts';
import { plan } from '#src/core/partitioning/plan.ts';
import { type Toleration, tolerates } from '#src/core/taints.ts';
import { demandsOf } from '#src/planner/demands.ts';
import { planningNodeOf } from '#src/planner/planning-node.ts';
import type { ClusterState } from '#src/state/cluster-state.ts';
import { type AdmissionView, evaluateAdmission } from '#src/state/evaluate-admission.ts';
import { gpuRequestOf } from '#src/state/gpu-request.ts';
import { NodeConfigs } from '#src/state/node-configs.ts';
import type { NodeRecord } from '#src/state/node-record.ts';
import type { PendingPod } from '#src/state/pending-pods.ts';
import { NO_RESOURCES } from '#src/state/resources.ts';
import { applyDecision } from '#src/webhook/mutate.ts';
import { KEY, stateOf } from '../unit/state/evaluating.ts';

const RUNS = Number(process.env.AS_BEFORE_RUNS ?? 5_000);
const GPU = 'nvidia.com/gpu';
const GFD = 'nvidia.com/gpu.';

interface Kind {
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

const gfd = (product: string, count: number, memory: number, replicas = 1, strategy = 'none') => ({
  [`${GFD}product`]: product,
  [`${GFD}count`]: String(count),
  [`${GFD}memory`]: String(memory),
  [`${GFD}replicas`]: String(replicas),
  [`${GFD}sharing-strategy`]: strategy,
});
const A100 = 'NVIDIA-A100-SXM4-40GB';

/** Nodes as clusters have them; `docs/reference/nodes.md`. */
const KINDS: readonly Kind[] = [
  { labels: gfd(A100, 4, 40_960), allocatable: { [GPU]: '4' } },
  { labels: gfd('Tesla-T4', 1, 15_360), allocatable: { [GPU]: '1' } },
  { labels: gfd('NVIDIA-L4-SHARED', 2, 23_034, 4, 'time-slicing'), allocatable: { [GPU]: '8' } },
  { labels: gfd('NVIDIA-L4', 2, 23_034, 4, 'time-slicing'), allocatable: { 'nvidia.com/gpu.shared': '8' } },
  { labels: gfd(A100, 2, 40_960, 8, 'mps'), allocatable: { 'nvidia.com/gpu.shared': '16' } },
  { labels: gfd(`${A100}-MIG-1g.5gb`, 14, 4_864), allocatable: { [GPU]: '14' } },
  { labels: gfd(`${A100}-MIG-1g.5gb-SHARED`, 14, 4_864, 4, 'time-slicing'), allocatable: { [GPU]: '56' } },
  { labels: gfd(`${A100}-MIG-INVALID`, 0, 0, 0, ''), allocatable: { [GPU]: '2' } },
  {
    labels: { ...gfd(A100, 2, 40_960, 0), 'nvidia.com/mig-1g.5gb.count': '7', 'nvidia.com/mig-1g.5gb.replicas': '2' },
    allocatable: { [GPU]: '1', 'nvidia.com/mig-1g.5gb': '14' },
  },
  {
    labels: { ...gfd(A100, 2, 40_960), 'nvidia.com/mig-3g.20gb.count': '2' },
    allocatable: { [GPU]: '1', 'nvidia.com/mig-3g.20gb': '2' },
  },
  { labels: gfd('NVIDIA-GeForce-RTX-4090', 1, 24_564), allocatable: { [GPU]: '3' } },
  { labels: gfd('NVIDIA-A10G', 1, 23_028), allocatable: { [GPU]: '10' } },
  { labels: gfd(A100, 4, 40_960), allocatable: { [GPU]: '0' } },
  { labels: gfd(A100, 2, 40_960, 8, 'mps'), allocatable: { 'nvidia.com/gpu.shared': '0' } },
  { labels: {}, allocatable: { [GPU]: '2' } },
  { labels: { gpu: 'on' }, allocatable: { [GPU]: '70' } },
  {
    labels: { 'cloud.google.com/gke-accelerator': 'nvidia-l4', 'cloud.google.com/gke-accelerator-count': '1' },
    allocatable: { [GPU]: '1' },
  },
  {
    labels: {
      'cloud.google.com/gke-accelerator': 'nvidia-tesla-a100',
      'cloud.google.com/gke-accelerator-count': '1',
      'cloud.google.com/gke-gpu-partition-size': '1g.5gb',
    },
    allocatable: { [GPU]: '7' },
  },
];

const TAINT = { key: 'team', value: 'a', effect: 'NoSchedule' };
/** Who has configured the node, besides its labels. */
const OWNERS: readonly Readonly<Record<string, string>>[] = [
  {},
  {},
  { 'nvidia.com/device-plugin.config': 'theirs' },
  { 'nvidia.com/mig.config': 'all-1g.5gb' },
  { 'nvidia.com/mig.config': 'all-disabled' },
];
const node = fc.record({
  owner: fc.constantFrom(...OWNERS),
  configuredByHand: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  kind: fc.constantFrom(...KINDS),
  pool: fc.constantFrom('a', 'b'),
  tainted: fc.boolean(),
  cordoned: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
});
const mostly = fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { arbitrary, weight: 1 });
const pod = fc.record({
  gpus: fc.constantFrom(1, 1, 1, 2, 4),
  type: fc.constantFrom(undefined, 'training', 'inference', 'inference', 'development', 'batch'),
  mode: maybe(fc.constantFrom('mig', 'mps', 'timeslicing', 'exclusive')),
  profile: maybe(fc.constantFrom('1g.5gb', '3g.20gb')),
  disabled: fc.boolean(),
  memory: maybe(fc.constantFrom('2Gi', '12Gi', '30Gi')),
  fraction: maybe(fc.constantFrom('0.1', '0.5', '1')),
  pool: maybe(fc.constantFrom('a', 'b')),
  tolerates: fc.boolean(),
  image: fc.constantFrom('team/app', 'vllm/vllm-openai', 'jupyter/tensorflow'),
  args: fc.constantFrom([], [], [], ['--tp', '2'], ['train.py']),
  labels: fc.constantFrom({}, {}, {}, { 'ray.io/cluster': 'x' }, { 'kueue.x-k8s.io/queue-name': 'q' }),
});
const policy = fc.record({
  strategy: fc.constantFrom('mig', 'mps', 'timeslicing', 'exclusive', 'auto'),
  nodeSelector: fc.constantFrom({}, { pool: 'a' }),
});
type Node = typeof node extends fc.Arbitrary<infer T> ? T : never;
type Pod = typeof pod extends fc.Arbitrary<infer T> ? T : never;

function nodeObject({ kind, owner, pool, tainted, cordoned }: Node, i: number): object {
  return {
    metadata: { name: `n${i}`, labels: { ...kind.labels, ...owner, pool } },
    spec: { unschedulable: cordoned, taints: tainted ? [TAINT] : [] },
    status: { allocatable: { cpu: '64', ...kind.allocatable } },
  };
}

function podObject(given: Pod): object {
  const { gpus, type, mode, profile, disabled, memory, fraction, pool: on, image, args, labels } = given;
  const entries = { 'sharing-mode': mode, 'mig-profile': profile, 'gpu-memory': memory, 'gpu-fraction': fraction };
  const annotations = Object.entries({ ...entries, sharing: disabled ? 'disabled' : undefined });
  return {
    metadata: {
      name: 'p',
      labels: { ...labels, ...(type && { [`${KEY}workload-type`]: type }) },
      annotations: Object.fromEntries(annotations.flatMap(([key, value]) => (value ? [[KEY + key, value]] : []))),
    },
    spec: {
      containers: [{ name: 'main', image, args, resources: { limits: { [GPU]: String(gpus) } } }],
      ...(on && { nodeSelector: { pool: on } }),
      ...(given.tolerates && { tolerations: [{ key: 'team', operator: 'Exists' }] }),
    },
  };
}

interface Placed {
  readonly spec: {
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly tolerations?: readonly { readonly key: string; readonly operator: string }[];
    readonly containers: readonly { readonly resources: { readonly limits: Readonly<Record<string, string>> } }[];
  };
}

/** Whether kube-scheduler's own filters let the pod onto the empty node. */
function fitsWithoutUs({ spec }: Placed, { labels, taints, observed }: NodeRecord): boolean {
  if (observed.cordoned || !tolerates(spec.tolerations ?? [], taints)) return false;
  if (!matches(equalTo(spec.nodeSelector ?? {}), labels)) return false;
  return Object.entries(spec.containers[0]?.resources.limits ?? {}).every(
    ([resource, count]) => Number(count) <= (observed.allocatable[resource] ?? 0),
  );
}

/** Whether our extender lets it there. */
function fitsWithUs(object: unknown, { inventory }: NodeRecord): boolean {
  const slots = (resource: string) => inventory?.pools.find((each) => each.resource === resource)?.slots ?? 0;
  return fit(inventory, slots, gpuRequestOf(podSchema.parse(object))).fits;
}

/** Whether the planner, asked on the idle cluster, makes room for the pod. */
function isMadeRoomFor(
  object: unknown,
  state: ClusterState,
  view: AdmissionView,
  configuration: Configuration,
): boolean {
  const { metadata, spec } = admissionPodSchema.parse(object);
  const waiting: PendingPod = {
    uid: 'p',
    namespace: 'team',
    name: 'p',
    size: NO_RESOURCES,
    request: gpuRequestOf(podSchema.parse(object)),
    policy: metadata.annotations?.[`${KEY}policy`],
    priority: 0,
    createdAt: 0,
    nodeConstraints: nodeConstraintsOf(spec),
    tolerations: spec.tolerations ?? [],
    workload: workloadOf(metadata, 'team'),
  };
  const record = (name: string) => state.nodes.get(name);
  const hosts = {
    labelsOf: (name: string) => record(name)?.labels ?? {},
    roomOn: (name: string, _size: unknown, tolerations: readonly Toleration[]) =>
      record(name)?.observed.cordoned || !tolerates(tolerations, record(name)?.taints ?? []) ? 0 : 100,
  };
  const configs = new NodeConfigs(state.nodeConfigs, () => {});
  const nodes = [...state.nodes.values()].flatMap(({ name, inventory, labels, observed }) => {
    if (!inventory) return [];
    const facts = { inventory, labels, observed, config: configs.of(name)[0], held: new Map(), holdsUnknown: false };
    return [planningNodeOf(facts, configuration, 0)];
  });
  const { changes, servedByFree } = plan({ nodes, demands: demandsOf([waiting], hosts, view).demands });
  return (
    servedByFree.length > 0 || changes.some((change) => change.recommendOnly === undefined && change.serves.length > 0)
  );
}

tap.test('what would have been bound without us is bound with us', async (t) => {
  let bound = 0;
  let shared = 0;
  let made = 0;
  const clusters = fc.record({
    nodes: fc.array(node, { minLength: 1, maxLength: 4 }),
    policy: maybe(policy),
    pod,
    auto: fc.record({ mig: mostly, mps: mostly, timeSlicing: mostly }),
    reconciles: mostly,
  });
  fc.assert(
    fc.property(clusters, ({ nodes, policy, pod, auto, reconciles }) => {
      const configuration = configurationSchema.parse({
        sharing: Object.fromEntries(Object.entries(auto).map(([mode, autoConfig]) => [mode, { autoConfig }])),
        reconciler: { enabled: reconciles },
      });
      const { state, admission } = stateOf({
        nodes: nodes.map(nodeObject),
        policies: policy ? { only: policy } : {},
        configuration,
      });
      for (const [i, { configuredByHand }] of nodes.entries()) {
        if (configuredByHand) state.nodeConfigs.update({ metadata: { name: `c${i}` }, spec: { nodeName: `n${i}` } });
      }
      const before = podObject(pod);
      const records = [...state.nodes.values()];
      const without = records.filter(
        (record) =>
          fitsWithoutUs(before as Placed, record) &&
          // What it declares is its own word: it waits for a slot that has it.
          ((pod.memory ?? pod.fraction) === undefined || fitsWithUs(before, record)),
      );
      if (without.length === 0) return true;
      const view = admission.view();
      const judged = evaluateAdmission(before, 'team', view);
      const after = applyDecision(before, judged, view, new Date(0));
      bound += 1;
      if (!after) return true;
      if (judged.ok && judged.decision.action === 'share') shared += 1;
      if (records.some((record) => fitsWithoutUs(after as Placed, record) && fitsWithUs(after, record))) return true;
      made += 1;
      return isMadeRoomFor(after, state, view, configuration);
    }),
    { numRuns: RUNS },
  );
  t.ok(bound > RUNS / 10, `${bound} of ${RUNS} would have been bound`);
  t.ok(shared > RUNS / 200, `${shared} of them share`);
  t.ok(made > RUNS / 2_000, `for ${made} of them slots are made`);
});

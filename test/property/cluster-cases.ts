/**
 * Clusters and pods at random, as `docs/reference/nodes.md` and people have them; what kube-scheduler alone makes of them, and
 * what our extender lets through. For the property that an install never stops what ran: pure, and on a real control plane.
 */

import fc from 'fast-check';
import { PREFIX } from '#src/api/keys.ts';
import { podSchema } from '#src/api/kubernetes.ts';
import { fit } from '#src/core/fit.ts';
import { equalTo, matches } from '#src/core/label-selector.ts';
import { tolerates } from '#src/core/taints.ts';
import { gpuRequestOf } from '#src/state/gpu-request.ts';
import type { NodeRecord } from '#src/state/node-record.ts';
import type { Manifest } from '../fakes/object-store.ts';
import type { NodeManifest } from '../objects/nodes.ts';

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

/** Of the kinds, those that most clusters have come first: whole GPUs, and slots under each name. */
const USUAL_KINDS = 6;
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
const mostly = fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { arbitrary, weight: 1 });
const seldom = mostly.map((yes) => !yes);
const node = fc.record({
  owner: fc.constantFrom(...OWNERS),
  configuredByHand: seldom,
  kind: fc.oneof(fc.constantFrom(...KINDS.slice(0, USUAL_KINDS)), fc.constantFrom(...KINDS)),
  pool: fc.constantFrom('a', 'b'),
  tainted: seldom,
  cordoned: seldom,
});
const pod = fc.record({
  gpus: fc.constantFrom(1, 1, 1, 1, 1, 2, 4),
  type: fc.constantFrom(undefined, 'training', 'inference', 'inference', 'development', 'batch'),
  mode: maybe(fc.constantFrom('mig', 'mps', 'timeslicing', 'exclusive')),
  profile: maybe(fc.constantFrom('1g.5gb', '3g.20gb')),
  disabled: seldom,
  memory: maybe(fc.constantFrom('2Gi', '12Gi', '30Gi')),
  fraction: maybe(fc.constantFrom('0.1', '0.5', '1')),
  pool: maybe(fc.constantFrom('a', 'b')),
  tolerates: fc.boolean(),
  image: fc.constantFrom('team/app', 'vllm/vllm-openai', 'jupyter/tensorflow'),
  args: fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, fc.constantFrom(['--tp', '2'], ['train.py'])),
  labels: fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    fc.constantFrom({ 'ray.io/cluster': 'x' }, { 'kueue.x-k8s.io/queue-name': 'q' }),
  ),
});
const policy = fc.record({
  strategy: fc.constantFrom('mig', 'mps', 'timeslicing', 'exclusive', 'auto'),
  nodeSelector: fc.constantFrom({}, { pool: 'a' }),
});
type CaseOf<A> = A extends fc.Arbitrary<infer T> ? T : never;
export type CaseNode = CaseOf<typeof node>;
export type CasePod = CaseOf<typeof pod>;
export type ClusterCase = CaseOf<typeof clusterCases>;

/** A cluster, idle but for one pod; how the planner is configured. */
export const clusterCases = fc.record({
  nodes: fc.array(node, { minLength: 1, maxLength: 5 }),
  policy: maybe(policy),
  pod,
  auto: fc.record({ mig: mostly, mps: mostly, timeSlicing: mostly }),
  reconciles: mostly,
});

/** The node as `kubectl get` shows it. */
export function nodeObject({ kind, owner, pool, tainted, cordoned }: CaseNode, name: string): NodeManifest {
  const amounts = { cpu: '64', memory: '256Gi', pods: '110', ...kind.allocatable };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { ...kind.labels, ...owner, pool } },
    spec: { unschedulable: cordoned, taints: tainted ? [TAINT] : [] },
    status: { capacity: amounts, allocatable: amounts },
  };
}

/** What the cases have of a pod, before and after admission. */
export interface CasePodManifest extends Manifest {
  readonly metadata: Manifest['metadata'] & { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly tolerations?: readonly { readonly key: string; readonly operator: string }[];
    readonly containers: readonly {
      readonly name: string;
      readonly image: string;
      readonly args: readonly string[];
      readonly resources: { readonly limits: Readonly<Record<string, string>> };
    }[];
  };
}

/** The pod as its author writes it. */
export function podObject(given: CasePod, name: string): CasePodManifest {
  const { gpus, type, mode, profile, disabled, memory, fraction, pool: on, image, args, labels } = given;
  const entries = { 'sharing-mode': mode, 'mig-profile': profile, 'gpu-memory': memory, 'gpu-fraction': fraction };
  const annotations = Object.entries({ ...entries, sharing: disabled ? 'disabled' : undefined });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { ...labels, ...(type && { [`${PREFIX}workload-type`]: type }) },
      annotations: Object.fromEntries(annotations.flatMap(([key, value]) => (value ? [[PREFIX + key, value]] : []))),
    },
    spec: {
      containers: [{ name: 'main', image, args, resources: { limits: { [GPU]: String(gpus) } } }],
      ...(on && { nodeSelector: { pool: on } }),
      ...(given.tolerates && { tolerations: [{ key: 'team', operator: 'Exists' }] }),
    },
  };
}

/** Whether kube-scheduler's own filters let the pod onto the empty node. */
export function fitsWithoutUs(
  { spec }: Pick<CasePodManifest, 'spec'>,
  { labels, taints, observed }: NodeRecord,
): boolean {
  if (observed.cordoned || !tolerates(spec.tolerations ?? [], taints)) return false;
  if (!matches(equalTo(spec.nodeSelector ?? {}), labels)) return false;
  return Object.entries(spec.containers[0]?.resources.limits ?? {}).every(
    ([resource, count]) => Number(count) <= (observed.allocatable[resource] ?? 0),
  );
}

/** Whether our extender lets it there. */
export function fitsWithUs(object: unknown, { inventory }: NodeRecord): boolean {
  const slots = (resource: string) => inventory?.pools.find((each) => each.resource === resource)?.slots ?? 0;
  return fit(inventory, slots, gpuRequestOf(podSchema.parse(object))).fits;
}

/** Whether the pod declares GPU memory or a share: by its own word it waits for a slot that is known to have it. */
export function declaresNeed({ memory, fraction }: CasePod): boolean {
  return (memory ?? fraction) !== undefined;
}

/** Nodes that take the pod as it came, and have what it declares. */
export function nodesWithoutUs(
  given: CasePod,
  manifest: CasePodManifest,
  records: readonly NodeRecord[],
): NodeRecord[] {
  return records.filter(
    (record) => fitsWithoutUs(manifest, record) && (!declaresNeed(given) || fitsWithUs(manifest, record)),
  );
}

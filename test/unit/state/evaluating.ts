/** A cluster in the eyes of admission, from objects as the API server sends them; and what becomes of pods there. */

import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import type { Clock } from '#src/kube/clock.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { evaluateAdmission, type HistoryOf } from '#src/state/evaluate-admission.ts';
import { takeList } from '../../fakes/listing.ts';
import { exclusiveNode, migNode, mpsNode, timeSlicingNode } from '../../objects/nodes.ts';
import { short } from '../core/admission/make.ts';

export const KEY = 'gpu-autoscaler.io/';

/** All four ways of sharing, on A100s of 40 GB. */
export const NODES: readonly object[] = [
  exclusiveNode({ name: 'whole', gpus: 2 }),
  mpsNode({ name: 'mps', gpus: 1, replicas: 8 }),
  timeSlicingNode({ name: 'sliced', gpus: 1, replicas: 4 }),
  migNode({
    name: 'mig',
    gpus: 1,
    layout: { '1g.5gb': 2, '2g.10gb': 1, '3g.20gb': 1 },
  }),
];

export interface World {
  readonly nodes?: readonly object[];
  /** Name → spec. */
  readonly policies?: Readonly<Record<string, object>>;
  /** Name → labels; `team` is there. */
  readonly namespaces?: Readonly<Record<string, object>>;
  /** As the file has it. */
  readonly configuration?: unknown;
  readonly historyOf?: HistoryOf;
  /** Pods as the API server has them; left out, nobody knows who holds what. */
  readonly pods?: readonly object[];
  readonly clock?: Pick<Clock, 'monotonic'>;
}

export function stateOf(world: World = {}) {
  const { nodes = NODES, policies = {}, namespaces = {}, configuration = {}, pods, clock } = world;
  const complaints: string[] = [];
  const parsed = configurationSchema.parse(configuration);
  const { oversubscribe } = parsed.sharing.timeSlicing;
  const state = new ClusterState((message, details) => void complaints.push(`${message}: ${JSON.stringify(details)}`), {
    oversubscribe,
  });
  const admission = new AdmissionState(state, admissionConfigurationOf(parsed, 'gpu-autoscaler-system'), {
    ...(clock && { clock }),
    knowsPods: () => pods !== undefined,
  });
  takeList(state.nodes, nodes);
  if (pods) takeList(state.pods, pods);
  takeList(
    state.namespaces,
    Object.entries({ team: {}, ...namespaces }).map(([name, labels]) => ({ metadata: { name, labels } })),
  );
  takeList(
    state.policies,
    Object.entries(policies).map(([name, spec]) => ({ metadata: { name }, spec })),
  );
  return { state, admission, complaints };
}

export interface PodParts {
  /** `workload-type: inference`, without the prefix. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `sharing-mode: mps`, without the prefix. */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly metadata?: object;
  readonly spec?: object;
  /** Of its one container; requests alone, as people write. */
  readonly gpus?: number | string;
}

const prefixed = (keys: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(keys).map(([key, value]) => [KEY + key, value]));

/** A manifest as people write it. */
export function podOf({ labels = {}, annotations = {}, metadata, spec, gpus = 1 }: PodParts): object {
  const container = {
    name: 'main',
    image: 'team/app:1',
    resources: { requests: { cpu: '1', 'nvidia.com/gpu': gpus } },
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'pod', labels: prefixed(labels), annotations: prefixed(annotations), ...metadata },
    spec: { containers: [container], ...spec },
  };
}

/** What becomes of the pod, in short, and the trail. */
export function judged(pod: unknown, world: World = {}, namespace: string | undefined = 'team') {
  const { admission } = stateOf(world);
  const result = evaluateAdmission(pod, namespace, admission.view(world.historyOf));
  if (!result.ok) return { becomes: 'error', reasons: [], warnings: result.faults, pod: result.pod };
  const { decision } = result;
  return { becomes: short(decision), reasons: decision.reasons, warnings: decision.warnings, pod: result.pod };
}

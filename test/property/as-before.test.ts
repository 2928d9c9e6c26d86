/**
 * An install never stops what ran: for any cluster and pod, if the pod would have been bound without us, it is bound with us.
 * kube-scheduler's part is played here: resources, taints, cordons, nodeSelector; `npm run test:as-before` asks the real one. A
 * pod that declares a need of GPU memory or share waits for a slot that is known to have it, so of the nodes that would have
 * taken it only those count. A pod that was promised a slot that is still to be made is bound when the planner makes it: the real one is asked, on the idle cluster.
 *
 * AS_BEFORE_RUNS sets the number of cases.
 */

import fc from 'fast-check';
import tap from 'tap';
import { admissionPodSchema, nodeConstraintsOf } from '#src/api/admission-pod.ts';
import { type Configuration, configurationSchema } from '#src/api/configuration.ts';
import { podSchema } from '#src/api/kubernetes.ts';
import { workloadOf } from '#src/api/workload.ts';
import { plan } from '#src/core/partitioning/plan.ts';
import { type Toleration, tolerates } from '#src/core/taints.ts';
import { demandsOf } from '#src/planner/demands.ts';
import { planningNodeOf } from '#src/planner/planning-node.ts';
import type { ClusterState } from '#src/state/cluster-state.ts';
import { type AdmissionView, evaluateAdmission } from '#src/state/evaluate-admission.ts';
import { gpuRequestOf } from '#src/state/gpu-request.ts';
import { NodeConfigs } from '#src/state/node-configs.ts';
import type { PendingPod } from '#src/state/pending-pods.ts';
import { NO_RESOURCES } from '#src/state/resources.ts';
import { applyDecision } from '#src/webhook/mutate.ts';
import { KEY, stateOf } from '../unit/state/evaluating.ts';
import {
  type CasePodManifest,
  clusterCases,
  fitsWithoutUs,
  fitsWithUs,
  nodeObject,
  nodesWithoutUs,
  podObject,
} from './cluster-cases.ts';

const RUNS = Number(process.env.AS_BEFORE_RUNS ?? 5_000);
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
    unjudged: undefined,
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
  fc.assert(
    fc.property(clusterCases, ({ nodes, policy, pod, auto, reconciles }) => {
      const configuration = configurationSchema.parse({
        sharing: Object.fromEntries(Object.entries(auto).map(([mode, autoConfig]) => [mode, { autoConfig }])),
        reconciler: { enabled: reconciles },
      });
      const { state, admission } = stateOf({
        nodes: nodes.map((node, i) => nodeObject(node, `n${i}`)),
        policies: policy ? { only: policy } : {},
        configuration,
      });
      for (const [i, { configuredByHand }] of nodes.entries()) {
        if (configuredByHand) state.nodeConfigs.update({ metadata: { name: `c${i}` }, spec: { nodeName: `n${i}` } });
      }
      const before = podObject(pod, 'p');
      const records = [...state.nodes.values()];
      const without = nodesWithoutUs(pod, before, records);
      if (without.length === 0) return true;
      const view = admission.view();
      const judged = evaluateAdmission(before, 'team', view);
      const after = applyDecision(before, judged, view, new Date(0));
      bound += 1;
      if (!after) return true;
      if (judged.ok && judged.decision.action === 'share') shared += 1;
      if (records.some((record) => fitsWithoutUs(after as CasePodManifest, record) && fitsWithUs(after, record)))
        return true;
      made += 1;
      return isMadeRoomFor(after, state, view, configuration);
    }),
    { numRuns: RUNS },
  );
  t.ok(bound > RUNS / 10, `${bound} of ${RUNS} would have been bound`);
  t.ok(shared > RUNS / 200, `${shared} of them share`);
  t.ok(made > RUNS / 2_000, `for ${made} of them slots are made`);
});

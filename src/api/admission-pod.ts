/** What admission reads of a pod: more than the scheduler's half does, and only once in a pod's life. */

import { z } from 'zod';
import type { NodeConstraints } from '../core/admission/slot-index.ts';
import type { WorkloadSignals } from '../core/admission/workload-type.ts';
import { equalTo, type Requirement } from '../core/label-selector.ts';
import { containerSchema, podSchema, tolerationSchema } from './kubernetes.ts';
import { ownerReferenceSchema } from './stored-objects.ts';

const strings = z.array(z.string()).nullish();

const container = containerSchema.extend({
  image: z.string().nullish(),
  command: strings,
  args: strings,
  ports: z.array(z.object({ containerPort: z.number() })).nullish(),
  env: z.array(z.object({ name: z.string(), value: z.string().nullish() })).nullish(),
  securityContext: z.object({ privileged: z.boolean().nullish(), runAsUser: z.number().nullish() }).nullish(),
});

const requirement = z.object({
  key: z.string(),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']),
  values: strings,
});
const nodeSelectorTerm = z.object({
  matchExpressions: z.array(requirement).nullish(),
  matchFields: z.array(z.unknown()).nullish(),
});

/** What of affinity binds: preferences are kube-scheduler's. */
const affinity = z.object({
  nodeAffinity: z
    .object({
      requiredDuringSchedulingIgnoredDuringExecution: z
        .object({ nodeSelectorTerms: z.array(nodeSelectorTerm).nullish() })
        .nullish(),
    })
    .nullish(),
});
const requiredAffinity = affinity.nullish();
const nodeSelector = z.record(z.string(), z.string()).nullish();
const priority = z.number().nullish();

const terms = z.object({ requiredDuringSchedulingIgnoredDuringExecution: z.array(z.unknown()).nullish() }).nullish();
const waitingContainer = z.object({ ports: z.array(z.object({ hostPort: z.number().nullish() })).nullish() });

/** What a pod that waits says of where it may go, and when it is served. */
export const waitingPodSchema = z.object({
  spec: z.object({
    nodeSelector,
    priority,
    affinity: affinity.extend({ podAffinity: terms, podAntiAffinity: terms }).nullish(),
    topologySpreadConstraints: z.array(z.object({ whenUnsatisfiable: z.string().nullish() })).nullish(),
    volumes: z.array(z.object({ persistentVolumeClaim: z.unknown(), ephemeral: z.unknown() })).nullish(),
    resourceClaims: z.array(z.unknown()).nullish(),
    containers: z.array(waitingContainer).nullish(),
    tolerations: z.array(tolerationSchema).nullish(),
    schedulingGates: z.array(z.unknown()).nullish(),
  }),
});
type Constrained = Pick<z.infer<typeof waitingPodSchema>['spec'], 'nodeSelector' | 'affinity'>;

export const admissionPodSchema = podSchema.extend({
  metadata: podSchema.shape.metadata.extend({ ownerReferences: z.array(ownerReferenceSchema).nullish() }),
  spec: podSchema.shape.spec.extend({
    containers: z.array(container).min(1),
    initContainers: z.array(container).nullish(),
    nodeSelector,
    priority,
    affinity: requiredAffinity,
    runtimeClassName: z.string().nullish(),
    schedulingGates: z.array(z.object({ name: z.string() })).nullish(),
  }),
});
export type AdmissionPod = z.infer<typeof admissionPodSchema>;

/** Where it may go by its own word: nodeSelector and required node affinity. Taints are not looked at. */
export function nodeConstraintsOf(spec: Constrained): NodeConstraints {
  const own = equalTo(spec.nodeSelector ?? {});
  const terms = requiredTerms(spec);
  if (terms.length === 0) return own.length > 0 ? [own] : [];
  const conditions = terms.reduce((sum, { matchExpressions }) => sum + (matchExpressions?.length ?? 0), 0);
  if (terms.length + conditions > MAX_CONDITIONS) return [[NOWHERE]];
  return terms.map(({ matchExpressions }) => {
    // An empty term selects no node. Source: Kubernetes, `NodeSelectorTerm`.
    if (!matchExpressions?.length) return [NOWHERE];
    return [
      ...own,
      ...matchExpressions.map(({ key, operator, values }): Requirement => ({ key, operator, values: values ?? [] })),
    ];
  });
}

/** Something that kube-scheduler asks before it places the pod, and that we do not judge; undefined: we judge all of it. */
export function unjudgedBy(spec: z.infer<typeof waitingPodSchema>['spec']): string | undefined {
  const { affinity, topologySpreadConstraints, volumes, resourceClaims, containers } = spec;
  const has = (list: z.infer<typeof terms>) => (list?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;
  if (has(affinity?.podAffinity)) return 'podAffinity';
  if (has(affinity?.podAntiAffinity)) return 'podAntiAffinity';
  if (topologySpreadConstraints?.some(({ whenUnsatisfiable }) => whenUnsatisfiable !== 'ScheduleAnyway'))
    return 'topologySpreadConstraints';
  if (volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim || ephemeral)) return 'volumes';
  if ((resourceClaims ?? []).length > 0) return 'resourceClaims';
  if (containers?.some(({ ports }) => ports?.some(({ hostPort }) => hostPort))) return 'hostPort';
  return undefined;
}

/** Of a required affinity; looked up on every node. One that has more shares nowhere. */
const MAX_CONDITIONS = 500;

/** Holds for no labels. */
const NOWHERE: Requirement = { key: '', operator: 'In', values: [] };

/** Bound by hand, or as a DaemonSet binds its pods: by the name of the node, as a field. */
export function isPinned({ spec }: AdmissionPod): boolean {
  return Boolean(spec.nodeName) || requiredTerms(spec).some(({ matchFields }) => (matchFields ?? []).length > 0);
}

function requiredTerms({ affinity }: Constrained) {
  return affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
}

export function workloadSignals({ metadata, spec }: AdmissionPod): WorkloadSignals {
  return {
    ownerKind: controllerOf(metadata)?.kind,
    images: spec.containers.flatMap(({ image }) => image ?? []),
    commands: spec.containers.map(({ command, args }) => [...(command ?? []), ...(args ?? [])].join(' ')),
    ports: spec.containers.flatMap(({ ports }) => (ports ?? []).map(({ containerPort }) => containerPort)),
  };
}

export function controllerOf({ ownerReferences }: Pick<AdmissionPod['metadata'], 'ownerReferences'>) {
  return ownerReferences?.find(({ controller }) => controller) ?? undefined;
}

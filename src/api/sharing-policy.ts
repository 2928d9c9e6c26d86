/** GPUSharingPolicy (`gsp`): which pods share GPUs, and how. Its schema, written once for the CRD and for our parser. */

import { z } from 'zod';
import type { SharingPolicy } from '../core/admission/policy.ts';
import { SHARING_MODE_NAMES } from '../core/sharing-mode.ts';
import type { Parsed } from '../core/units.ts';
import { formatIssues } from './kubernetes.ts';
import { conditionsOf, labelMap, labelSelector } from './labels.ts';
import { withRules } from './rule.ts';
import {
  activeThreads,
  fairnessMode,
  MPS_RULES,
  memoryLimit,
  migProfile,
  mpsClients,
  sliceMs,
  timeSlices,
} from './sharing-bounds.ts';
import { conditions, count, timestamp } from './status.ts';

const migConfig = withRules(
  z.object({
    profile: migProfile.optional().describe('MIG profile that pods get, such as 1g.5gb.'),
    autoSelectProfile: z
      .boolean()
      .default(true)
      .describe('Whether the smallest profile that holds a pod is taken where none is named.'),
  }),
  [
    {
      cel: 'self.autoSelectProfile || has(self.profile)',
      holds: ({ autoSelectProfile, profile }) => autoSelectProfile || profile !== undefined,
      field: 'profile',
      reason: 'FieldValueRequired',
      message: 'autoSelectProfile is false and no profile is named: set profile, or autoSelectProfile to true',
    },
  ],
);

const mpsConfig = withRules(
  z.object({
    maxClients: mpsClients.default(16).describe('Pods that share one GPU at most.'),
    defaultActiveThreads: activeThreads
      .default(100)
      .describe(
        "Percentage of the GPU's threads that a pod may use. At most a pod's share, 100 / maxClients; 100 sets no limit but that share.",
      ),
    memoryLimitMB: memoryLimit
      .optional()
      .describe("GPU memory that a pod may use, in MiB; else its share, the GPU's memory / maxClients."),
  }),
  MPS_RULES,
);

const timeSlicingConfig = z.object({
  replicasPerGPU: timeSlices.default(4).describe('Pods that take turns on one GPU at most.'),
  sliceMs: sliceMs
    .default(100)
    .describe('Wished length of a turn, in ms. NVIDIA offers only coarse steps: the status says if it is not kept.'),
  fairnessMode: fairnessMode
    .default('roundrobin')
    .describe(
      'roundrobin: equal turns; priority, weighted: by pod priority or request, as far as placement can do it.',
    ),
});

export const sharingPolicySpec = withRules(
  z.object({
    strategy: z
      .enum([...SHARING_MODE_NAMES, 'auto'])
      .describe('How the pods share: by MIG, MPS or time-slicing, not at all, or as the decision flow finds.'),
    podSelector: labelSelector.optional().describe('Pods that are governed, by their labels; all if left out.'),
    namespaceSelector: labelSelector
      .optional()
      .describe("Namespaces whose pods are governed, by the namespaces' labels; all if left out."),
    nodeSelector: labelMap.optional().describe('Labels of the nodes that the pods may go to; all nodes if left out.'),
    priority: z
      .int()
      .min(-1_000_000)
      .max(1_000_000)
      .default(0)
      .describe('Of several policies that match a pod the one with the highest priority governs it.'),
    migConfig: migConfig.optional().describe('For strategy mig and auto.'),
    mpsConfig: mpsConfig.optional().describe('For strategy mps and auto.'),
    timeSlicingConfig: timeSlicingConfig.optional().describe('For strategy timeslicing and auto.'),
  }),
  (
    [
      ['migConfig', 'mig'],
      ['mpsConfig', 'mps'],
      ['timeSlicingConfig', 'timeslicing'],
    ] as const
  ).map(([field, strategy]) => ({
    cel: `!has(self.${field}) || self.strategy in ['${strategy}', 'auto']`,
    holds: (spec) => spec[field] === undefined || spec.strategy === strategy || spec.strategy === 'auto',
    field,
    reason: 'FieldValueForbidden',
    message: `only strategy ${strategy} and auto use ${field}: remove it, or change strategy`,
  })),
);

export const sharingPolicyStatusSchema = z.object({
  appliedPods: count.optional().describe('Pods that the policy governs.'),
  lastUpdateTime: timestamp.optional().describe('When the status was last written.'),
  conditions: conditions.optional(),
});
export type SharingPolicyStatus = z.infer<typeof sharingPolicyStatusSchema>;

/** Without the status: what we wrote ourselves must not make a policy unreadable. */
const sharingPolicySchema = z.object({
  metadata: z.object({ name: z.string().min(1) }),
  spec: sharingPolicySpec,
});

/**
 * A GPUSharingPolicy as the API server sends it, with the defaults that an older CRD may not have filled in.
 * The reason of a refusal names the fields: `spec.mpsConfig.maxClients: …`.
 */
export function parseSharingPolicy(object: unknown): Parsed<SharingPolicy> {
  const parsed = sharingPolicySchema.safeParse(object);
  if (!parsed.success) return { ok: false, reason: formatIssues(parsed.error) };
  const { metadata, spec } = parsed.data;
  const { migConfig: mig, mpsConfig: mps, timeSlicingConfig: slicing } = spec;
  return {
    ok: true,
    value: {
      name: metadata.name,
      strategy: spec.strategy,
      priority: spec.priority,
      podSelector: conditionsOf(spec.podSelector),
      namespaceSelector: conditionsOf(spec.namespaceSelector),
      nodeSelector: spec.nodeSelector ?? {},
      mig: mig && { profile: mig.profile, autoSelectProfile: mig.autoSelectProfile },
      mps: mps && {
        maxClients: mps.maxClients,
        defaultActiveThreads: mps.defaultActiveThreads,
        memoryLimitMiB: mps.memoryLimitMB,
      },
      timeSlicing: slicing && {
        replicasPerGpu: slicing.replicasPerGPU,
        sliceMs: slicing.sliceMs,
        fairnessMode: slicing.fairnessMode,
      },
    },
  };
}

/** GPUNodeConfig (`gnc`): how the GPUs of one node are to be shared. Its schema, written once. */

import { z } from 'zod';
import type { Parsed } from '../core/units.ts';
import { formatIssues } from './kubernetes.ts';
import { SUBDOMAIN } from './labels.ts';
import { matching, type Rule, withRules } from './rule.ts';
import { celIsMigProfile, isMigProfile, migProfile, mpsClients, timeSlices } from './sharing-bounds.ts';
import { conditions, count, timestamp } from './status.ts';

const nodeName = withRules(z.string().min(1).max(253), [
  matching(new RegExp(`^${SUBDOMAIN}$`), 'not the name of a node: lower-case letters, digits, "-" and "."'),
  {
    cel: 'self == oldSelf',
    reason: 'FieldValueForbidden',
    message: 'nodeName cannot change: delete this GPUNodeConfig, and create one for the other node',
  },
]);

/**
 * Slices that an instance takes at least, by its compute slices: 1g with double memory takes 2 of memory, which its
 * name alone does not show. Source: MIG user guide.
 */
const COMPUTE: Readonly<Record<string, number>> = { 1: 1, 2: 2, 3: 3, 4: 4, 7: 7 };
const MEMORY: Readonly<Record<string, number>> = { 1: 1, 2: 2, 3: 4, 4: 4, 7: 8 };
/** Of the largest GPUs. */
const COMPUTE_SLICES = 7;
const MEMORY_SLICES = 8;

/** Layouts too large for every GPU. What is left is judged with the GPU at hand: geometry is more than sums. */
const migProfiles = withRules(z.array(migProfile).max(COMPUTE_SLICES), [
  {
    ...atMost(COMPUTE_SLICES, COMPUTE),
    message: `more than the ${COMPUTE_SLICES} compute slices of a GPU (the digit before "g"): remove profiles; the list is the layout of each GPU of the node`,
  },
  {
    ...atMost(MEMORY_SLICES, MEMORY),
    message: `more than the ${MEMORY_SLICES} memory slices of a GPU (1g takes 1, 2g 2, 3g and 4g 4, 7g all): remove profiles; the list is the layout of each GPU of the node`,
  },
  {
    cel: "self.filter(name, name.endsWith('+me')).size() <= 1",
    holds: (names) => names.filter((name) => name.endsWith('+me')).length <= 1,
    message: 'a GPU has media engines for one instance: leave one +me profile',
  },
]);

/** The sum over profiles, of those whose name is one. */
function atMost(limit: number, slices: Readonly<Record<string, number>>): Pick<Rule<string[]>, 'cel' | 'holds'> {
  const sum = `self.map(name, ${JSON.stringify(slices)}[name.substring(0, 1)]).sum()`;
  return {
    cel: `self.exists(name, !${celIsMigProfile('name')}) || ${sum} <= ${limit}`,
    holds: (names) =>
      !names.every(isMigProfile) || names.reduce((total, name) => total + (slices[name.charAt(0)] ?? 0), 0) <= limit,
  };
}

/** Far above any machine, and few enough for the API server's bound on rules. */
const MAX_GPUS = 16;

const migLayouts = withRules(
  z
    .array(
      z.object({
        gpus: z
          .array(
            z
              .int()
              .min(0)
              .max(MAX_GPUS - 1),
          )
          .min(1)
          .max(MAX_GPUS)
          .describe('Indices of the GPUs, as nvidia-smi numbers them.')
          .meta({ 'x-kubernetes-list-type': 'set' }),
        profiles: migProfiles
          .describe('Instances on each of these GPUs, one entry for each.')
          .meta({ 'x-kubernetes-list-type': 'atomic' }),
      }),
    )
    .max(MAX_GPUS),
  [
    {
      cel: 'self.all(one, self.filter(other, other.gpus.exists(gpu, gpu in one.gpus)).size() <= 1)',
      holds: (layouts) => {
        const named = layouts.flatMap(({ gpus }) => [...new Set(gpus)]);
        return new Set(named).size === named.length;
      },
      message: 'a GPU is named in two layouts: leave it in one',
    },
  ],
);

export const nodeConfigSpec = withRules(
  z.object({
    nodeName: nodeName.describe('The node. Cannot change.'),
    migEnabled: z.boolean().default(false).describe("Whether the node's GPUs are partitioned by MIG."),
    migProfiles: migProfiles
      .optional()
      .describe('Instances on each GPU of the node, one entry for each: 1g.5gb twice makes two.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    migLayouts: migLayouts
      .optional()
      .describe('Instead of migProfiles: a layout for some GPUs each; MIG stays off on GPUs that are not named.')
      .meta({ 'x-kubernetes-list-type': 'atomic' }),
    mpsEnabled: z.boolean().default(false).describe("Whether the node's GPUs are shared by MPS."),
    mpsMaxClients: mpsClients.default(16).describe('Under MPS, pods that share one GPU at most.'),
    timeSlicingEnabled: z.boolean().default(false).describe("Whether the node's GPUs are time-sliced."),
    timeSlicingReplicas: timeSlices.default(4).describe('Under time-slicing, pods that take turns on one GPU at most.'),
    whenBusy: z
      .enum(['Wait', 'Drain'])
      .default('Wait')
      .describe('While pods hold GPUs that are to change: wait until they are gone, or evict them.'),
    drainTimeoutSeconds: z
      .int()
      .min(10)
      .max(86_400)
      .default(600)
      .describe('With Drain: after so long the node is given back as it was.'),
  }),
  [
    {
      cel: '!has(self.migProfiles) || self.migProfiles.size() == 0 || self.migEnabled',
      holds: ({ migEnabled, migProfiles = [] }) => migEnabled || migProfiles.length === 0,
      field: 'migProfiles',
      reason: 'FieldValueForbidden',
      message: 'migProfiles say how MIG cuts the GPUs, but migEnabled is false: set migEnabled to true, or remove them',
    },
    {
      cel: '!has(self.migLayouts) || self.migLayouts.size() == 0 || self.migEnabled',
      holds: ({ migEnabled, migLayouts = [] }) => migEnabled || migLayouts.length === 0,
      field: 'migLayouts',
      reason: 'FieldValueForbidden',
      message: 'migLayouts say how MIG cuts the GPUs, but migEnabled is false: set migEnabled to true, or remove them',
    },
    {
      cel: '!has(self.migLayouts) || self.migLayouts.size() == 0 || !has(self.migProfiles) || self.migProfiles.size() == 0',
      holds: ({ migProfiles = [], migLayouts = [] }) => migProfiles.length === 0 || migLayouts.length === 0,
      field: 'migLayouts',
      reason: 'FieldValueForbidden',
      message: 'migProfiles are the layout of every GPU, migLayouts those of some: leave one of them',
    },
    {
      cel: '!(self.migEnabled && self.mpsEnabled)',
      holds: ({ migEnabled, mpsEnabled }) => !(migEnabled && mpsEnabled),
      field: 'mpsEnabled',
      message: "NVIDIA's device plugin refuses MPS on a node with MIG: set mpsEnabled or migEnabled to false",
    },
    {
      cel: '!(self.mpsEnabled && self.timeSlicingEnabled)',
      holds: ({ mpsEnabled, timeSlicingEnabled }) => !(mpsEnabled && timeSlicingEnabled),
      field: 'timeSlicingEnabled',
      message:
        "NVIDIA's device plugin drops time-slicing silently on a node with MPS: set timeSlicingEnabled or mpsEnabled to false",
    },
  ],
);

export const nodeConfigStatusSchema = z.object({
  phase: z.enum(['Pending', 'Configuring', 'Ready', 'Failed']).optional().describe('How far the configuration is.'),
  message: z.string().max(32_768).optional().describe('The phase in a sentence.'),
  lastUpdateTime: timestamp.optional().describe('When the status was last written.'),
  migStatus: z
    .object({
      enabled: z.boolean(),
      configuredProfiles: z
        .array(z.string().max(64))
        .max(64)
        .optional()
        .describe('MIG profiles that the node has.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
      availableDevices: count.optional().describe('MIG instances that pods can ask for.'),
    })
    .optional()
    .describe('MIG as it is on the node.'),
  mpsStatus: z
    .object({
      enabled: z.boolean(),
      activeClients: count.optional().describe('Pods that hold a slot.'),
      maxClients: count.optional().describe('Slots of one GPU.'),
    })
    .optional()
    .describe('MPS as it is on the node.'),
  timeSlicingStatus: z
    .object({
      enabled: z.boolean(),
      physicalGPUs: count.optional(),
      virtualGPUs: count.optional().describe('Slots of all GPUs together.'),
      replicasPerGPU: count.optional().describe('Slots of one GPU.'),
    })
    .optional()
    .describe('Time-slicing as it is on the node.'),
  conditions: conditions.optional(),
});
export type NodeConfigSpec = z.infer<typeof nodeConfigSpec>;
export type NodeConfigStatus = z.infer<typeof nodeConfigStatusSchema>;

/** A GPUNodeConfig as the API server sends it. */
export interface NodeConfig {
  readonly name: string;
  readonly uid: string;
  /** Moves with the spec. */
  readonly generation: number;
  /** ms since the epoch. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Also of a spec that cannot be read; undefined where not even that can be. */
  readonly nodeName: string | undefined;
  /** The reason of a refusal names the fields: `spec.mpsMaxClients: …`. */
  readonly spec: Parsed<NodeConfigSpec>;
  /** As stored; undefined if it cannot be read: then it is written again. */
  readonly status: NodeConfigStatus | undefined;
}

const texts = z.record(z.string(), z.string()).nullish();
const storedSchema = z.object({
  metadata: z.object({
    name: z.string().min(1),
    uid: z.string().default(''),
    generation: z.number().default(0),
    creationTimestamp: z.string().nullish(),
    labels: texts,
    annotations: texts,
  }),
  spec: z.unknown().optional(),
  status: z.unknown().optional(),
});
const namedSpec = z.object({ nodeName: z.string() });

/** Undefined for what is no object of that kind at all. */
export function parseNodeConfig(object: unknown): NodeConfig | undefined {
  const stored = storedSchema.safeParse(object);
  if (!stored.success) return undefined;
  const { metadata, status } = stored.data;
  const spec = nodeConfigSpec.safeParse(stored.data.spec);
  return {
    name: metadata.name,
    uid: metadata.uid,
    generation: metadata.generation,
    createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    nodeName: namedSpec.safeParse(stored.data.spec).data?.nodeName,
    spec: spec.success ? { ok: true, value: spec.data } : { ok: false, reason: formatIssues(spec.error) },
    status: nodeConfigStatusSchema.safeParse(status).data,
  };
}

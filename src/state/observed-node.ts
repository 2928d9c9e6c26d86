/** A GPU node as its API object shows it: what NVIDIA's components say of it, and what we have written there. */

import { z } from 'zod';
import { MAX_GPUS_PER_NODE } from '../core/inventory.ts';
import type { NodeGpus } from '../core/partitioning/desired-partition.ts';
import { allocatableOf, type Partition, wholeGpus } from '../core/partitioning/partition.ts';
import { migResource } from '../core/resources.ts';
import { REPLICA_MODES, type ReplicaMode } from '../core/sharing-mode.ts';

const layout = z.record(z.string(), z.int().min(1));
const partitionSchema = z.object({
  /** null where MIG is off: JSON knows no undefined. */
  layouts: z
    .array(layout.nullable())
    .max(MAX_GPUS_PER_NODE)
    .transform((layouts) => layouts.map((each) => each ?? undefined)),
  sharing: z
    .object({ mode: z.enum(REPLICA_MODES), replicas: z.int().min(2) })
    .nullish()
    .transform((sharing) => sharing ?? undefined),
});

/** A repair as older controllers wrote it: `reason: message` in one text. */
const repairText = z.string().transform((text) => {
  const [, reason = 'Unknown', message = text] = /^(\w+): (.*)$/s.exec(text) ?? [];
  return { reason, message };
});
const repairSchema = z.union([z.object({ reason: z.string(), message: z.string() }), repairText]);
/** The reason why a configuration was applied again. */
export type Repair = z.infer<typeof repairSchema>;

const appliedSchema = z.object({
  /** Name of the GPUNodeConfig. */
  config: z.string(),
  /** Its generation. */
  generation: z.number(),
  /** Values of the two labels; mig-manager may have been left alone. */
  plugin: z.string(),
  mig: z.string().optional(),
  partition: partitionSchema,
});

const lastAppliedSchema = appliedSchema.extend({
  /** It was given up. */
  failed: z.object({ reason: z.string(), message: z.string() }).optional(),
  /** What had to be mended on the way. */
  repairs: z.array(repairSchema).optional(),
});
/** Annotation `gpu-autoscaler.io/partition`: written in one patch with the labels. */
export type LastApplied = z.infer<typeof lastAppliedSchema>;

const transitionSchema = appliedSchema.extend({
  /** Attempts that have failed. */
  attempt: z.int().min(0).default(0),
  repairs: z.array(repairSchema).default([]),
  /** We cordoned the node, and uncordon it in the end. */
  cordoned: z.boolean().default(false),
});
/** Annotation `gpu-autoscaler.io/transition`: what is under way. While it is there, no pod is placed on the node. */
export type Transition = z.infer<typeof transitionSchema>;

export interface ObservedNode {
  readonly name: string;
  /** Undefined until GPU Feature Discovery has labelled the node. */
  readonly gpus: NodeGpus | undefined;
  readonly plugin: string | undefined;
  readonly mig: string | undefined;
  /** mig-manager's: `pending`, `rebooting`, `success`, `failed`. */
  readonly migState: string | undefined;
  /** Labels that mig-manager has paused. */
  readonly paused: readonly string[];
  /** GPU resources that are there at all, at 0 too. */
  readonly allocatable: Readonly<Record<string, number>>;
  /** Names of NVIDIA's that it offers and that are not known to us: GPUs are behind them. Sorted. */
  readonly unknownResources: readonly string[];
  /** How GPUs without MIG are shared, as the node says. */
  readonly sharing: ReplicaMode | undefined;
  readonly replicas: number;
  /** Instances, by resource. */
  readonly migCounts: Readonly<Record<string, number>>;
  readonly cordoned: boolean;
  readonly transition: Transition | undefined;
  readonly lastApplied: LastApplied | undefined;
}

/** The transition in place of one that cannot be parsed: it is taken away. */
export const UNREADABLE: Transition = {
  config: '',
  generation: 0,
  plugin: '',
  partition: { layouts: [], sharing: undefined },
  attempt: 0,
  repairs: [],
  cordoned: false,
};

/** The annotation `gpu-autoscaler.io/transition`; `UNREADABLE` if it cannot be parsed. */
export function parseTransition(text: string | undefined): Transition | undefined {
  return text === undefined ? undefined : (parseJson(transitionSchema, text) ?? UNREADABLE);
}

/** The annotation `gpu-autoscaler.io/partition`; undefined if it is absent, or cannot be read. */
export function parseLastApplied(text: string | undefined): LastApplied | undefined {
  return parseJson(lastAppliedSchema, text);
}

function parseJson<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * Whether what the node offers, and what its labels say, is the partition: `full`; `partial` if slots are missing (a GPU
 * is unhealthy), `no` otherwise.
 */
export function agreement(node: ObservedNode, partition: Partition): 'full' | 'partial' | 'no' {
  const offered = offers(node, partition);
  return offered !== 'no' && labelsAgree(node, partition) ? offered : 'no';
}

/** The same without the labels, which come up to a minute later. */
export function offers({ allocatable }: ObservedNode, partition: Partition): 'full' | 'partial' | 'no' {
  const expected = allocatableOf(partition);
  for (const [resource, count] of Object.entries(allocatable)) {
    if (count > (expected.get(resource) ?? 0)) return 'no';
  }
  const counts = [...expected].map(([resource, count]) => (allocatable[resource] ?? 0) / count);
  if (counts.some((share) => share === 0)) return 'no';
  return counts.every((share) => share === 1) ? 'full' : 'partial';
}

function labelsAgree(node: ObservedNode, { layouts, sharing }: Partition): boolean {
  const counts = allocatableOf({ layouts, sharing: undefined });
  for (const [resource, count] of Object.entries(node.migCounts))
    if (count !== (counts.get(resource) ?? 0)) return false;
  for (const layout of layouts) {
    for (const profile of Object.keys(layout ?? {})) if (!(migResource(profile) in node.migCounts)) return false;
  }
  if (node.sharing !== sharing?.mode) return false;
  return node.replicas === (sharing?.replicas ?? 1);
}

/** The partition of the node now; undefined if unknown. */
export function currentPartition(node: ObservedNode): Partition | undefined {
  const { lastApplied, gpus } = node;
  // A change that was given up may have stopped anywhere: other layouts may offer just as much.
  if (
    lastApplied &&
    !lastApplied.failed &&
    node.plugin === lastApplied.plugin &&
    (lastApplied.mig === undefined || node.mig === lastApplied.mig)
  ) {
    if (lastApplied.partition.layouts.length === gpus?.gpus && offers(node, lastApplied.partition) !== 'no')
      return lastApplied.partition;
  }
  if (!gpus) return undefined;
  const whole = wholeGpus(gpus.gpus);
  return offers(node, whole) === 'full' && node.replicas === 1 ? whole : undefined;
}

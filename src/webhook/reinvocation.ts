/**
 * A pod that comes a second time within one admission, since webhooks after us have changed it: it is decided anew, from the
 * pod as it was before us and with all that has been added since.
 */

import { z } from 'zod';
import { WRITTEN } from '../api/keys.ts';
import { podSchema } from '../api/kubernetes.ts';
import { isGpuResource, WHOLE_GPU } from '../core/resources.ts';
import { SHARED_MODES, type SharedMode } from '../core/sharing-mode.ts';
import { mpsUserOf } from '../state/gpu-request.ts';

/** ms for which a decision is of this admission: far above the time that all webhooks together have, and clocks differ. */
const SAME_ADMISSION_MS = 30_000;

const stringMap = z.record(z.string(), z.string());
const resources = z.looseObject({
  requests: z.record(z.string(), z.unknown()).nullish(),
  limits: z.record(z.string(), z.unknown()).nullish(),
});
const container = z.looseObject({
  name: z.string().optional(),
  resources: resources.nullish(),
  env: z.array(z.looseObject({ name: z.string() })).nullish(),
});
type Container = z.infer<typeof container>;
const decidedSchema = z.looseObject({
  metadata: z.looseObject({
    annotations: z
      .looseObject({ [WRITTEN.optimized]: z.literal('true'), [WRITTEN.timestamp]: z.iso.datetime() })
      .and(stringMap),
  }),
  spec: z.looseObject({
    nodeSelector: stringMap.nullish(),
    containers: z.array(container),
    initContainers: z.array(container).nullish(),
  }),
});

const additionsSchema = z.strictObject({
  /** Keys. */
  nodeSelector: z.array(z.string()).optional(),
  annotations: z.array(z.string()).optional(),
  /** Names of environment variables, by container. */
  env: z.record(z.string(), z.array(z.string())).optional(),
});
/** What a decision has added to a pod beside the annotations that are always ours: the annotation `optimization-added`. */
export type Additions = z.infer<typeof additionsSchema>;

/** A pod that was decided a moment ago. */
export interface Undone {
  /** The pod without the decision. */
  readonly pod: unknown;
  /** The slot that it was promised. */
  readonly promised: { readonly resource: string; readonly mode: SharedMode; readonly user: number } | undefined;
}

/** Undefined for a pod that carries no decision, or not one of this admission. Changes nothing. */
export function undoDecision(object: unknown, now: Date): Undone | undefined {
  const parsed = decidedSchema.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata } = parsed.data;
  if (Math.abs(now.getTime() - Date.parse(metadata.annotations[WRITTEN.timestamp])) > SAME_ADMISSION_MS)
    return undefined;
  const additions = parseAdditions(metadata.annotations[WRITTEN.added]);
  if (!additions) return undefined;

  const pod = structuredClone(parsed.data);
  const { annotations } = pod.metadata;
  const mode = SHARED_MODES.find((each) => each === annotations[WRITTEN.strategy]);
  let slot: string | undefined;
  for (const each of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    if (mode) slot = askForWholeGpu(each) ?? slot;
    const added = additions.env?.[each.name ?? ''] ?? [];
    if (each.env && added.length > 0) each.env = each.env.filter(({ name }) => !added.includes(name));
  }
  for (const key of additions.nodeSelector ?? []) delete pod.spec.nodeSelector?.[key];
  for (const key of [...OURS, ...(additions.annotations ?? [])]) delete annotations[key];
  const sized = podSchema.safeParse(pod).data;
  if (!mode || slot === undefined || !sized) return { pod, promised: undefined };
  return { pod, promised: { mode, resource: slot, user: mpsUserOf(sized) } };
}

/** Those that the webhook writes. */
const OURS: readonly string[] = [
  WRITTEN.originalGpuRequest,
  WRITTEN.optimized,
  WRITTEN.strategy,
  WRITTEN.timestamp,
  WRITTEN.reason,
  WRITTEN.policy,
  WRITTEN.added,
];

/** Undefined for what cannot be read: then it is not known what is ours. */
function parseAdditions(text: string | undefined): Additions | undefined {
  if (text === undefined) return {};
  try {
    return additionsSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Pods share one GPU alone, and none that asks for slots by name: whatever name has a count was that of a whole one. */
function askForWholeGpu({ resources: own }: Container): string | undefined {
  let slot: string | undefined;
  for (const list of [own?.requests, own?.limits]) {
    if (!list) continue;
    const isNone = (name: string) => Number(list[name]) === 0;
    const names = Object.keys(list).filter((name) => name !== WHOLE_GPU && isGpuResource(name));
    for (const name of names.sort((a, b) => Number(isNone(a)) - Number(isNone(b)))) {
      if (Object.hasOwn(list, WHOLE_GPU)) continue;
      if (!isNone(name)) slot = name;
      list[WHOLE_GPU] = list[name];
      delete list[name];
    }
  }
  return slot;
}

/** Whether two forms of a pod differ in no more than the time and the words of the decision. */
export function isSameDecision(before: unknown, after: unknown): boolean {
  return JSON.stringify(withoutWords(before)) === JSON.stringify(withoutWords(after));
}

/** Keys in order, without the time and the words, and without GPUs of which there are none. */
function withoutWords(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutWords);
  if (typeof value !== 'object' || value === null) return value;
  const isWord = (key: string) => key === WRITTEN.timestamp || key === WRITTEN.reason;
  const isNone = (key: string, count: unknown) => isGpuResource(key) && Number(count) === 0;
  const entries = Object.entries(value).filter(([key, each]) => !isWord(key) && !isNone(key, each));
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, each]) => [key, withoutWords(each)]);
}

/**
 * A pod that comes a second time within one admission, since webhooks after us have changed it: it is decided anew, from the
 * pod as it was before us and with all that has been added since. What was ours is known from memory alone: whatever a pod's
 * author writes into annotations must not have us take away what others have put there.
 */

import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DECISION_ANNOTATIONS, WRITTEN } from '../api/keys.ts';
import { isGpuResource, WHOLE_GPU } from '../core/resources.ts';
import type { SharedMode } from '../core/sharing-mode.ts';

/** ms for which a decision is of this admission: far above the time that all webhooks together have. */
const SAME_ADMISSION_MS = 30_000;
/** Decisions of that time. */
const MAX_DECISIONS = 10_000;

type Strings = Readonly<Record<string, string>>;

/** What a decision has put into a pod. */
export interface Additions {
  /** The scheduler, before and after. */
  readonly scheduler: readonly [before: string | undefined, after: string | undefined];
  readonly nodeSelector: Strings;
  /** Besides those of the decision itself. */
  readonly annotations: Strings;
  /** Variables by container. */
  readonly env: ReadonlyMap<string, Strings>;
  /** The slot that it was promised. */
  readonly promised: { readonly resource: string; readonly mode: SharedMode; readonly user: number } | undefined;
}

/** The decisions of the last moments, by pod and time. */
export class RecentDecisions {
  readonly #additions = new LRUCache<string, Additions>({ max: MAX_DECISIONS, ttl: SAME_ADMISSION_MS });

  /** @param pod as it was decided */
  remember(namespace: string | undefined, pod: unknown, additions: Additions): void {
    const id = idOf(namespace, pod);
    if (id !== undefined) this.#additions.set(id, additions);
  }

  /** What was put into the pod a moment ago; undefined if that was not us, or long ago. */
  recall(namespace: string | undefined, pod: unknown): Additions | undefined {
    const id = idOf(namespace, pod);
    return id === undefined ? undefined : this.#additions.get(id);
  }
}

const stringMap = z.record(z.string(), z.string());
const quantities = z.record(z.string(), z.unknown()).nullish();
const container = z.looseObject({
  name: z.string().optional(),
  resources: z.looseObject({ requests: quantities, limits: quantities }).nullish(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().nullish() })).nullish(),
});
const podSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string().optional(),
    generateName: z.string().optional(),
    annotations: stringMap.nullish(),
  }),
  spec: z.looseObject({
    schedulerName: z.string().nullish(),
    nodeSelector: stringMap.nullish(),
    containers: z.array(container),
    initContainers: z.array(container).nullish(),
  }),
});
type Pod = z.infer<typeof podSchema>;

/** A pod has no uid yet: its name, or what its name will be made of, and the time of its decision. */
function idOf(namespace: string | undefined, pod: unknown): string | undefined {
  const metadata = podSchema.shape.metadata.safeParse((pod as { metadata?: unknown } | undefined)?.metadata).data;
  const time = metadata?.annotations?.[WRITTEN.timestamp];
  return time && JSON.stringify([namespace, metadata?.name, metadata?.generateName, time]);
}

/** What the decision has put into a pod; undefined for pods that cannot be taken back to where they were. */
export function additionsTo(before: unknown, after: unknown, promised: Additions['promised']): Additions | undefined {
  const [from, to] = [podSchema.safeParse(before).data, podSchema.safeParse(after).data];
  if (!from || !to) return undefined;
  const own = new Map(containersOf(from).map((each) => [each.name ?? '', each]));
  // Names that are not unique do not tell what is ours; the API server refuses such a pod in the end.
  if (own.size < containersOf(from).length) return undefined;
  const env = containersOf(to).map(
    ({ name = '', env }) => [name, added(variables(own.get(name)?.env), variables(env))] as const,
  );
  const annotations = added(from.metadata.annotations, to.metadata.annotations);
  return {
    scheduler: [from.spec.schedulerName ?? undefined, to.spec.schedulerName ?? undefined],
    nodeSelector: added(from.spec.nodeSelector, to.spec.nodeSelector),
    annotations: Object.fromEntries(Object.entries(annotations).filter(([key]) => !DECISION_ANNOTATIONS.includes(key))),
    env: new Map(env),
    promised,
  };
}

/** The pod without what was put into it, where that is unchanged; undefined if it cannot be read. Changes nothing. */
export function undoDecision(object: unknown, additions: Additions): unknown {
  const pod = podSchema.safeParse(structuredClone(object)).data;
  if (!pod) return undefined;
  const { scheduler, nodeSelector, annotations, env, promised } = additions;
  const { metadata, spec } = pod;
  const [schedulerBefore, schedulerAfter] = scheduler;
  if (spec.schedulerName === schedulerAfter) {
    if (schedulerBefore === undefined) delete spec.schedulerName;
    else spec.schedulerName = schedulerBefore;
  }
  for (const each of containersOf(pod)) {
    if (promised) askForWholeGpu(each, promised.resource);
    const ours = env.get(each.name ?? '') ?? {};
    if (each.env && Object.keys(ours).length > 0) {
      each.env = each.env.filter(({ name, value }) => ours[name] === undefined || ours[name] !== value);
    }
  }
  takeAway(spec.nodeSelector, nodeSelector);
  takeAway(metadata.annotations, annotations);
  for (const key of DECISION_ANNOTATIONS) delete metadata.annotations?.[key];
  return pod;
}

function containersOf({ spec }: Pod) {
  return [...spec.containers, ...(spec.initContainers ?? [])];
}

function variables(env: z.infer<typeof container>['env']): Strings {
  return Object.fromEntries((env ?? []).map(({ name, value }) => [name, value ?? '']));
}

/** Entries whose key was not there before. */
function added(before: Strings | null | undefined, after: Strings | null | undefined): Strings {
  return Object.fromEntries(Object.entries(after ?? {}).filter(([key]) => !Object.hasOwn(before ?? {}, key)));
}

function takeAway(from: Record<string, string> | null | undefined, ours: Strings): void {
  for (const [key, value] of Object.entries(ours)) if (from?.[key] === value) delete from[key];
}

/** The whole GPU comes back in place of the slot. */
function askForWholeGpu({ resources: own }: z.infer<typeof container>, slot: string): void {
  for (const list of [own?.requests, own?.limits]) {
    if (!list || !Object.hasOwn(list, slot)) continue;
    list[WHOLE_GPU] = list[slot];
    delete list[slot];
  }
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

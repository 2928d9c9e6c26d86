/** Any pod in any cluster under any policies, by the real review and its patch: what holds for all decisions. */

import fc from 'fast-check';
import { applyPatch, type Operation } from 'rfc6902';
import tap from 'tap';
import { admissionPodSchema, nodeConstraintsOf } from '#src/api/admission-pod.ts';
import { parsePodOptions } from '#src/api/pod-options.ts';
import { isGpuResource, migProfileOf, WHOLE_GPU } from '#src/core/resources.ts';
import { isSameDecision, RecentDecisions } from '#src/webhook/reinvocation.ts';
import { type Reviewed, review } from '#src/webhook/review.ts';
import { KEY, stateOf, type World } from '../unit/state/evaluating.ts';
import { anyCase, type Case } from './admission-cases.ts';

const RUNS = { numRuns: 1_500 };
/** Of one replica, for each case anew: pods of two cases may have one name. */
let RECENT = new RecentDecisions();
const NOW = new Date('2026-01-02T03:04:05.678Z');

interface Pod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly schedulerName?: string };
}
interface Container {
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly resources?: Readonly<Partial<Record<'requests' | 'limits', Readonly<Record<string, unknown>>>>>;
}

function viewOf({ nodes, policies, configuration, history }: Omit<Case, 'pod' | 'namespace'>) {
  const world: World = { nodes, policies, configuration, namespaces: { staging: { environment: 'staging' } } };
  return stateOf(world).admission.view(() => history && { known: true, history });
}

/** What the webhook says, and the pod as the API server would go on with it. */
function admit(given: Case, pod: unknown = given.pod) {
  const view = viewOf(given);
  const request = { uid: 'u', operation: 'CREATE', namespace: given.namespace, object: pod };
  const reviewed: Reviewed = review(request, { view, recent: RECENT, now: NOW });
  const { patch } = reviewed.reply.response;
  const after = structuredClone(pod);
  const operations: Operation[] = patch === undefined ? [] : JSON.parse(Buffer.from(patch, 'base64').toString());
  const faults = applyPatch(after, operations).filter((fault) => fault !== null);
  if (faults.length > 0) throw faults[0];
  return { reviewed, view, patched: patch !== undefined, pod: after as Pod };
}

function containersOf(pod: unknown): Container[] {
  const { spec } = pod as { spec: { containers: Container[]; initContainers?: Container[] } };
  return [...(spec.initContainers ?? []), ...spec.containers];
}

const SHARED = ['mig', 'mps', 'timeslicing'] as const;
const ANY = [...SHARED, 'exclusive', 'none', 'error'];
const isShared = ({ strategy }: Reviewed) => SHARED.some((mode) => mode === strategy);
const annotationsOf = (pod: unknown) => (pod as Pod).metadata.annotations ?? {};

/** @param kinds of cases that must have come up: a property may be true for want of them */
function check(
  says: string,
  kinds: readonly string[],
  holds: (given: Case, seen: (kind: string) => void) => boolean | undefined,
  runs = RUNS,
): void {
  tap.test(says, async (t) => {
    const missing = new Set(kinds);
    fc.assert(
      fc.property(anyCase, (given) => {
        RECENT = new RecentDecisions();
        return holds(given, (kind) => missing.delete(kind)) !== false;
      }),
      runs,
    );
    t.strictSame([...missing], [], `cases of ${kinds.join(', ')}`);
  });
}

check('what has been decided stays: the second review changes nothing', ANY, (given, seen) => {
  const { pod, reviewed } = admit(given);
  seen(reviewed.strategy);
  return !admit(given, pod).patched;
});

const LABELS = [
  { 'gpu-autoscaler.io/workload-type': 'training' },
  { 'gpu-autoscaler.io/workload-type': 'development' },
  { app: 'web' },
];
const withLabels = (pod: unknown, labels: object) => {
  const { metadata, ...rest } = structuredClone(pod) as { metadata: { labels?: object } };
  return { ...rest, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } };
};

check(
  'what later webhooks add counts as if it had been there at first',
  // Of fewer cases than elsewhere, none may be one that cannot be read.
  [...SHARED, 'exclusive'],
  (given, seen) => {
    const { pod, reviewed } = admit(given);
    seen(reviewed.strategy);
    return LABELS.every((labels) => {
      admit(given);
      const late = admit(given, withLabels(pod, labels));
      const early = admit(given, withLabels(given.pod, labels));
      return (
        late.reviewed.strategy === early.reviewed.strategy && isSameDecision(canonical(late.pod), canonical(early.pod))
      );
    });
  },
  { numRuns: 200 },
);

/** Requests equal limits in a pod that was ever decided; an empty list is none. */
function canonical(pod: unknown): unknown {
  const copy = structuredClone(pod) as { spec: { nodeSelector?: object }; metadata: { annotations?: object } };
  for (const { resources } of containersOf(copy)) {
    const names = Object.keys({ ...resources?.requests, ...resources?.limits }).filter(isGpuResource);
    const both = resources as Record<string, Record<string, unknown>> | undefined;
    for (const name of names) {
      const value = resources?.limits?.[name] ?? resources?.requests?.[name];
      for (const list of ['requests', 'limits']) if (both) both[list] = { ...both[list], [name]: value };
    }
  }
  if (Object.keys(copy.metadata.annotations ?? {}).length === 0) delete copy.metadata.annotations;
  if (Object.keys(copy.spec.nodeSelector ?? {}).length === 0) delete copy.spec.nodeSelector;
  for (const container of containersOf(copy) as { env?: readonly object[] }[]) {
    if (container.env?.length === 0) delete container.env;
  }
  return copy;
}

check('never a slot that no node has, or could have, where the pod may go', SHARED, (given, seen) => {
  const { pod, reviewed, view } = admit(given);
  if (!isShared(reviewed)) return undefined;
  seen(reviewed.strategy);
  const parsed = admissionPodSchema.parse(pod);
  const { memoryMiB = 0, fractionMilli = 0 } = parsePodOptions(parsed.metadata.labels, parsed.metadata.annotations);
  const asked = containersOf(pod).flatMap(({ resources }) => Object.entries(resources?.limits ?? {}));
  const names = new Set(
    asked.filter(([name, count]) => isGpuResource(name) && Number(count) > 0).map(([name]) => name),
  );
  // Of the pod as it has become: its node selector, and memory that was counted on, included.
  const offers = view.offers(nodeConstraintsOf(parsed.spec));
  return [...names].every((name) =>
    offers.some(
      (offer) =>
        offer.mode === reviewed.strategy &&
        offer.resource === name &&
        offer.slotMilli >= fractionMilli &&
        (offer.slotMiB ?? Number.POSITIVE_INFINITY) >= memoryMiB,
    ),
  );
});

check(
  'opting out wins, over any policy, label, looks and past',
  ['left alone', 'sharing: disabled', 'mig-enabled', 'mps-enabled', 'time-slicing-enabled'],
  (given, seen) => {
    const { reviewed, patched } = admit(given);
    const said = (key: string, value: string) => annotationsOf(given.pod)[KEY + key] === value;
    if (given.namespace === 'kube-system' || said('optimize', 'false')) {
      seen('left alone');
      return !patched;
    }
    if (said('sharing', 'disabled')) {
      seen('sharing: disabled');
      return !isShared(reviewed);
    }
    const off = { mig: 'mig-enabled', mps: 'mps-enabled', timeslicing: 'time-slicing-enabled' } as const;
    return Object.entries(off).every(([strategy, key]) => {
      if (!said(key, 'false')) return true;
      seen(key);
      return reviewed.strategy !== strategy;
    });
  },
);

check('the order of nodes and policies does not matter', ANY, (given, seen) => {
  const { reviewed } = admit(given);
  const turned = {
    ...given,
    nodes: given.nodes.toReversed(),
    policies: Object.fromEntries(Object.entries(given.policies).toReversed()),
  };
  seen(reviewed.strategy);
  return JSON.stringify(admit(turned).reviewed) === JSON.stringify(reviewed);
});

check('who shares has request = limit, and never both a whole GPU and a slot', SHARED, (given, seen) => {
  const { pod, reviewed } = admit(given);
  if (!isShared(reviewed)) return undefined;
  seen(reviewed.strategy);
  const slots = containersOf(pod).flatMap(({ resources }) => {
    const { requests = {}, limits = {} } = resources ?? {};
    const names = Object.keys({ ...requests, ...limits }).filter(isGpuResource);
    if (names.some((name) => requests[name] === undefined || String(requests[name]) !== String(limits[name])))
      return [Number.NaN];
    const held = names.filter((name) => Number(limits[name]) > 0);
    if (held.includes(WHOLE_GPU) || held.length > 1) return [Number.NaN];
    return held.map((name) => Number(limits[name]));
  });
  const mig = containersOf(pod).some(({ resources }) => Object.keys(resources?.limits ?? {}).some(migProfileOf));
  return slots.length > 0 && slots.every((count) => count === 1) && (reviewed.strategy !== 'mig' || mig);
});

check(
  'an MPS limit is below the share, and no less than the pod needs; what the author has set stays',
  ['memory', 'threads'],
  (given, seen) => {
    const { pod, reviewed, view } = admit(given);
    const before = containersOf(given.pod);
    for (const [i, { env = [] }] of containersOf(pod).entries()) {
      const own = before[i]?.env ?? [];
      if (JSON.stringify(env.slice(0, own.length)) !== JSON.stringify(own)) return false;
      const added = env.slice(own.length);
      if (added.length > 0 && reviewed.strategy !== 'mps') return false;
      const variable = (name: string) => added.find((each) => each.name === name)?.value;
      const limit = variable('CUDA_MPS_PINNED_DEVICE_MEM_LIMIT')?.replace(/^0=(\d+)M$/, '$1');
      const threads = variable('CUDA_MPS_ACTIVE_THREAD_PERCENTAGE');
      const { memoryMiB = 0 } = parsePodOptions({}, annotationsOf(pod));
      const offers = view.offers([]).filter((offer) => offer.mode === 'mps');
      if (limit !== undefined) {
        seen('memory');
        if (Number(limit) < memoryMiB || !offers.some(({ slotMiB = 0 }) => slotMiB > Number(limit))) return false;
      }
      if (threads !== undefined) {
        seen('threads');
        if (!offers.some(({ slotMilli }) => slotMilli / 10 > Number(threads))) return false;
      }
    }
    return undefined;
  },
);

/** The last words that each outcome may have. */
const LAST: Readonly<Record<Reviewed['strategy'], RegExp>> = {
  mig: /^considered MIG: .+ (needs|takes) |^(sharing-mode: mig|MIG profile \S+) was asked for: /,
  mps: /^considered MPS: .+ takes |^sharing-mode: mps was asked for: |^no memory limit is set: /,
  timeslicing: /^considered time-slicing: .+ takes |^sharing-mode: timeslicing was asked for: /,
  exclusive:
    /keeps? a whole GPU$|^sharing: disabled$|only single-GPU pods share$|^sharing-mode: exclusive$|applied$|any node will do$|too much to share$/,
  none: /^the pod |^namespace \S+ is exempt$/,
  error: / /,
};
check('the trail is never empty, and ends with the reason of the outcome', ANY, (given, seen) => {
  const { reviewed, pod } = admit(given);
  const { strategy, reasons } = reviewed;
  seen(strategy);
  if (!LAST[strategy].test(reasons.at(-1) ?? '')) throw new Error(`${strategy}: ${reasons.join('; ')}`);
  const written = annotationsOf(pod)[`${KEY}optimization-reason`];
  return strategy === 'none' || strategy === 'error' ? written === undefined : written === reasons.join('; ');
});

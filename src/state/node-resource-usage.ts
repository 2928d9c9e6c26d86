/** What besides GPUs decides whether a pod can go to a node: labels, taints, cpu, memory, number of pods. */

import { z } from 'zod';
import { hasFinished, nodeSchema, type Pod, podSchema, type Taint, type Toleration } from '../api/kubernetes.ts';
import { hardTaintsOf, tolerates } from '../api/pod-preferences.ts';
import type { Labels } from '../core/label-selector.ts';
import { effectiveAmount } from '../core/request.ts';
import { parseQuantity } from '../core/units.ts';
import type { Feed } from './cluster-state.ts';
import { recordFeed } from './record-feed.ts';

/** Amounts of a pod or a node; cpu in milli, memory in MiB. */
export interface Resources {
  readonly cpu: number;
  readonly memory: number;
  readonly pods: number;
}

interface Host {
  readonly labels: Labels;
  /** NoSchedule and NoExecute. */
  readonly taints: readonly Taint[];
  readonly allocatable: Resources;
  /** Ready, and not cordoned. */
  readonly open: boolean;
}

const hostSchema = nodeSchema.extend({
  spec: nodeSchema.shape.spec.unwrap().unwrap().extend({ unschedulable: z.boolean().nullish() }).nullish(),
  status: z
    .object({
      allocatable: z.record(z.string(), z.string()).nullish(),
      conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish(),
    })
    .nullish(),
});
const placedSchema = podSchema.extend({
  metadata: podSchema.shape.metadata.extend({ uid: z.string() }),
});

export class NodeResourceUsage {
  readonly nodes: Feed;
  readonly pods: Feed;
  readonly #hosts = new Map<string, Host>();
  readonly #placed = new Map<string, { readonly node: string; readonly amounts: Resources }>();
  readonly #used = new Map<string, Resources>();

  constructor() {
    this.nodes = recordFeed<Host>({
      read: (object) => {
        const parsed = hostSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, spec, status } = parsed.data;
        const { cpu, memory, pods } = status?.allocatable ?? {};
        const isReady = (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True');
        const record = {
          labels: metadata.labels ?? {},
          taints: hardTaintsOf(spec?.taints),
          allocatable: { cpu: milli(cpu), memory: mib(memory), pods: whole(pods) },
          open: isReady && spec?.unschedulable !== true,
        };
        return { key: metadata.name, record };
      },
      set: (name, host) => void this.#hosts.set(name, host),
      delete: (name) => void this.#hosts.delete(name),
    });
    const remove = (uid: string) => {
      const before = this.#placed.get(uid);
      if (!before) return;
      this.#placed.delete(uid);
      this.#count(before.node, before.amounts, -1);
    };
    this.pods = recordFeed<{ readonly node: string; readonly amounts: Resources }>({
      read: (object) => {
        const parsed = placedSchema.safeParse(object);
        if (!parsed.success) return undefined;
        const { metadata, spec } = parsed.data;
        const node = hasFinished(parsed.data) ? undefined : spec.nodeName;
        return { key: metadata.uid, record: node ? { node, amounts: resourcesOf(parsed.data) } : undefined };
      },
      set: (uid, pod) => {
        remove(uid);
        this.#placed.set(uid, pod);
        this.#count(pod.node, pod.amounts, 1);
      },
      delete: remove,
    });
  }

  labelsOf(node: string): Labels {
    return this.#hosts.get(node)?.labels ?? {};
  }

  /** How many more pods of that size it has room for; 0 if their tolerations do not let them there. */
  roomOn(node: string, size: Resources, tolerations: readonly Toleration[]): number {
    const host = this.#hosts.get(node);
    if (!host?.open) return 0;
    if (!tolerates(tolerations, host.taints)) return 0;
    const used = this.#used.get(node) ?? NOTHING;
    const { allocatable } = host;
    const left = (what: keyof Resources) =>
      size[what] > 0 ? Math.floor((allocatable[what] - used[what]) / size[what]) : Number.MAX_SAFE_INTEGER;
    return Math.max(0, Math.min(left('cpu'), left('memory'), left('pods')));
  }

  #count(node: string, amounts: Resources, sign: 1 | -1): void {
    const used = this.#used.get(node) ?? NOTHING;
    const pods = used.pods + sign;
    if (pods === 0) this.#used.delete(node);
    else {
      const [cpu, memory] = [used.cpu + sign * amounts.cpu, used.memory + sign * amounts.memory];
      this.#used.set(node, { cpu, memory, pods });
    }
  }
}

const NOTHING: Resources = { cpu: 0, memory: 0, pods: 0 };

/** The effective request. Source: Kubernetes, "Resource Management for Pods and Containers". */
export function resourcesOf({ spec }: Pod): Resources {
  const containers = (list: typeof spec.initContainers) =>
    (list ?? []).map(({ resources, restartPolicy }) => {
      const asked = { ...resources?.limits, ...resources?.requests };
      return { cpu: milli(asked.cpu), memory: mib(asked.memory), sidecar: restartPolicy === 'Always' };
    });
  const [init, main] = [containers(spec.initContainers), containers(spec.containers)];
  return {
    cpu: effectiveAmount(init, main, ({ cpu }) => cpu),
    memory: effectiveAmount(init, main, ({ memory }) => memory),
    pods: 1,
  };
}

/** 0 for what is not there, or no quantity. */
function milli(text: string | undefined): number {
  const parsed = parseQuantity(text ?? '0');
  return parsed.ok ? Number(parsed.value / 1_000_000n) : 0;
}

function mib(text: string | undefined): number {
  const parsed = parseQuantity(text ?? '0');
  return parsed.ok ? Number(parsed.value / (1_000_000_000n << 20n)) : 0;
}

function whole(text: string | undefined): number {
  return Math.floor(milli(text) / 1_000);
}

/** An emulated node without an API server: what it writes is kept, and its clock runs a thousand times as fast. */

import type { Test } from 'tap';
import { seededRandom } from '#src/core/random.ts';
import { type Faults, GpuNode, type GpuNodeSpec, type PodOnNode } from '#src/sandbox/gpu-node/node.ts';
import { NVIDIA, scaledClock, type Timing } from '#src/sandbox/gpu-node/timing.ts';
import { waitFor } from '../../../cluster/wait.ts';

export const GPU = 'nvidia.com/gpu';
export const SHARED = 'nvidia.com/gpu.shared';
export const PLUGIN = 'nvidia.com/device-plugin.config';
export const MIG = 'nvidia.com/mig.config';
export const STATE = 'nvidia.com/mig.config.state';
export const SEVENTHS = 'nvidia.com/mig-1g.5gb';
export const HALVES = 'nvidia.com/mig-3g.20gb';

/** Configurations of the plugin. */
export const slices = (replicas: number) =>
  `version: v1\nsharing: {timeSlicing: {renameByDefault: true, resources: [{name: ${GPU}, replicas: ${replicas}}]}}`;
export const mps = (replicas: number) => slices(replicas).replace('timeSlicing', 'mps');
export const MIXED = 'version: v1\nflags: {migStrategy: mixed}';
/** Configurations of mig-parted; `again` is `seven` by another name. */
export const CUTS = `version: v1
mig-configs:
  seven: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}]
  again: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7}}]
  halves: [{devices: all, mig-enabled: true, mig-devices: {3g.20gb: 2}}]
  eight: [{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 8}}]
  off: [{devices: all, mig-enabled: false}]
`;

export const A100_NODE: GpuNodeSpec = { name: 'a', gpus: 2, product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 };

export interface Emulated {
  readonly node: GpuNode;
  readonly labels: Record<string, string>;
  readonly allocatable: Record<string, string>;
  readonly capacity: Record<string, string>;
  /** By `namespace/name`. */
  readonly pods: Map<string, { phase: string; reason?: string; message?: string }>;
  readonly volumes: { plugin: Record<string, string>; mig: Record<string, string> };
  readonly said: string[];
  /** What mig-manager has written of its state. */
  readonly states: string[];
  /** Whether labels that the node writes are refused. */
  refuseLabels: boolean;
  /** Whether resources that it writes are. */
  refuseResources: boolean;
  /** Sets labels as somebody outside does. */
  label(labels: Record<string, string>): void;
}

export function emulate(spec: GpuNodeSpec = A100_NODE, timing: Timing = NVIDIA, faults: Faults = {}): Emulated {
  const labels: Record<string, string> = {};
  const allocatable: Record<string, string> = {};
  const capacity: Record<string, string> = {};
  const pods: Emulated['pods'] = new Map();
  const volumes: Emulated['volumes'] = { plugin: {}, mig: {} };
  const said: string[] = [];
  const states: string[] = [];
  const merge = (into: Record<string, string>, changes: Readonly<Record<string, string | null>>) => {
    for (const [key, value] of Object.entries(changes)) {
      if (value === null) delete into[key];
      else into[key] = value;
    }
  };
  const node = new GpuNode({
    spec,
    clock: scaledClock(1_000),
    timing,
    faults,
    random: seededRandom(1),
    io: {
      labels: async (changes) => {
        if (emulated.refuseLabels) throw new Error('refused');
        if (changes[STATE]) states.push(changes[STATE]);
        merge(labels, changes);
        node.labelled({ ...labels });
      },
      resources: async (changed, present) => {
        if (emulated.refuseResources) throw new Error('refused');
        merge(allocatable, changed);
        merge(capacity, present);
      },
      podStatus: async (pod, status) => void pods.set(`${pod.namespace}/${pod.name}`, status as { phase: string }),
      volume: (configMap) => volumes[configMap],
      log: (message) => said.push(message),
    },
  });
  const label = (changes: Record<string, string>) => {
    merge(labels, changes);
    node.labelled({ ...labels });
  };
  const seen = { labels, allocatable, capacity, pods, said, states };
  const emulated: Emulated = { node, ...seen, volumes, refuseLabels: false, refuseResources: false, label };
  return emulated;
}

/** One that has come up, and stops with the test. */
export async function started(t: Test, ...args: Parameters<typeof emulate>): Promise<Emulated> {
  const emulated = emulate(...args);
  t.teardown(() => emulated.node.stop());
  await emulated.node.start();
  return emulated;
}

/** One whose plugin offers instances, and whose mig-manager knows `CUTS`. */
export async function startedForMig(t: Test, timing?: Timing): Promise<Emulated> {
  const emulated = await started(t, { ...A100_NODE, defaultConfig: MIXED }, timing);
  emulated.volumes.mig['config.yaml'] = CUTS;
  return emulated;
}

export const until = (what: string, is: () => boolean) => waitFor(what, is, { everyMs: 1, timeoutMs: 10_000 });
export const offers = ({ allocatable }: Emulated, resource: string, count: number) =>
  until(`${count} of ${resource}`, () => allocatable[resource] === String(count));
export const state = ({ labels }: Emulated, wanted: string) =>
  until(`mig-manager says ${wanted}`, () => labels[STATE] === wanted);
/** Waits for the end of the run of mig-manager with that number. */
export const runs = ({ states }: Emulated, count: number) =>
  until(
    `mig-manager has run ${count} times`,
    () => states.filter((each) => /success|failed/.test(each)).length >= count,
  );
export const said = ({ said: lines }: Emulated, what: RegExp, times = 1) =>
  until(`it says ${what}`, () => lines.filter((line) => what.test(line)).length >= times);

export function pod(name: string, resource: string, count = 1): PodOnNode {
  return { uid: name, namespace: 'team', name, devices: new Map([[resource, count]]), finished: false };
}

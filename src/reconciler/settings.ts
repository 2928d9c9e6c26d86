/** The configuration as the reconciler uses it. */

import { type Configuration, milliseconds } from '../api/configuration.ts';
import type { Times } from './step.ts';

export interface ReconcilerSettings {
  readonly enabled: boolean;
  readonly namespace: string;
  readonly configMaps: { readonly plugin: string; readonly mig: string };
  /** Nodes in transition at the same time, of so many nodes with GPUs. */
  readonly most: (nodes: number) => number;
  readonly defaultProfile: string | undefined;
  readonly times: Times;
}

/** Longer than what an extender sends at the last moment is waited for (`LAST_WORD_MS` of its Lease). */
const SETTLE_MS = 6_000;
const RETRY_MS = 900_000;
const EVICT_MS = 5_000;

/** @param speed for tests on nodes whose clock runs that much faster */
export function reconcilerSettingsOf({ reconciler, sharing }: Configuration, speed = 1): ReconcilerSettings {
  const { enabled, namespace, devicePluginConfigMap, migManagerConfigMap, maxInTransition } = reconciler;
  const scaled = (ms: number) => ms / speed;
  return {
    enabled,
    namespace,
    configMaps: { plugin: devicePluginConfigMap, mig: migManagerConfigMap },
    most: (nodes) =>
      typeof maxInTransition === 'number'
        ? maxInTransition
        : Math.max(1, Math.floor((nodes * Number.parseInt(maxInTransition, 10)) / 100)),
    defaultProfile: sharing.mig.defaultProfile,
    times: {
      settle: scaled(SETTLE_MS),
      propagation: scaled(milliseconds(reconciler.propagation)),
      pluginDeadline: scaled(milliseconds(reconciler.pluginDeadline)),
      migDeadline: scaled(milliseconds(reconciler.migDeadline)),
      retry: scaled(RETRY_MS),
      evict: scaled(EVICT_MS),
    },
  };
}

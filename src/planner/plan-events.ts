/** Events of a plan: on GPUNodeConfigs that were planned, on pods that only a recommendation or nothing serves. */

import { nodeConfigSubject, podSubject } from '../api/events.ts';
import type { NodeConfig } from '../api/node-config.ts';
import { describePartition } from '../core/partitioning/partition.ts';
import type { Change } from '../core/partitioning/plan-input.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { PendingPod } from '../state/pending-pods.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface PlanEventsOptions {
  readonly events: Pick<EventRecorder, 'record'>;
  readonly log: Logger;
}

interface Refused {
  readonly pods: readonly string[];
  readonly code: string;
  readonly why: string;
}

/** Pods of one demand that get an event: all of them wait for the same. */
const MAX_PODS = 10;

export class PlanEvents {
  readonly #options: PlanEventsOptions;
  /** The last message to each pod, by uid. */
  readonly #lastMessages = new Map<string, string>();

  constructor(options: PlanEventsOptions) {
    this.#options = options;
  }

  async planned(config: NodeConfig, { why }: Change): Promise<void> {
    await this.#options.events.record(nodeConfigSubject(config), 'Planned', why);
  }

  /** Each pod once, as long as its answer stays the same. */
  async record(
    pods: readonly PendingPod[],
    recommended: readonly Change[],
    refused: readonly Refused[],
  ): Promise<void> {
    const { log } = this.#options;
    const byKey = new Map(pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
    const present = new Set(pods.map(({ uid }) => uid));
    for (const uid of this.#lastMessages.keys()) if (!present.has(uid)) this.#lastMessages.delete(uid);
    for (const { node, to, serves, why, recommendOnly } of recommended) {
      const message = `recommended, but not done since ${recommendOnly}: ${node} to ${describePartition(to)}. ${why}`;
      if (await this.#notifyPods(byKey, serves, 'PartitionRecommended', message)) {
        log.info(
          { node, to: describePartition(to), serves: serves.length, why: recommendOnly },
          `planner recommends: ${why}`,
        );
      }
    }
    for (const { pods: keys, code, why } of refused) {
      if (await this.#notifyPods(byKey, keys, 'NoPartition', `no partition is changed for it: ${why}`)) {
        log.info({ pods: keys.slice(0, MAX_PODS), count: keys.length, code }, `planner: ${why}`);
      }
    }
  }

  /** Records the message on the pods; true if it is new for any of them. */
  async #notifyPods(
    byKey: ReadonlyMap<string, PendingPod>,
    keys: readonly string[],
    reason: 'PartitionRecommended' | 'NoPartition',
    message: string,
  ): Promise<boolean> {
    let isNew = false;
    for (const key of keys.slice(0, MAX_PODS)) {
      const pod = byKey.get(key);
      if (!pod || this.#lastMessages.get(pod.uid) === message) continue;
      this.#lastMessages.set(pod.uid, message);
      isNew = true;
      await this.#options.events.record(podSubject(pod), reason, message);
    }
    return isNew;
  }
}

/** Reporter for users: the status of GPUNodeConfigs, where it changes, and events. */

import { EVENTS, type EventReason, isEventReason, nodeConfigSubject } from '../api/events.ts';
import { CUSTOM_RESOURCES } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import type { Rejection } from '../core/partitioning/desired-partition.ts';
import type { Clock } from '../kube/clock.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import { JSON_PATCH, type KubeClient, KubeError } from '../kube/kube-client.ts';
import type { Lease } from '../kube/lease.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { GpuPods } from '../state/gpu-pods.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ReconcilerMetrics } from './metrics.ts';
import { nodeConfigStatus } from './node-config-status.ts';
import type { PhaseStatus } from './step.ts';

export interface StatusReporterOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly state: Pick<ClusterState, 'nodes' | 'nodeConfigs'>;
  readonly pods: GpuPods;
  /** Of the planner, by node. */
  readonly recommendations: ReadonlyMap<string, string>;
  readonly log: Logger;
  readonly metrics: Pick<ReconcilerMetrics, 'statusWrites' | 'foreignEdits'>;
  readonly clock: Clock;
}

export class StatusReporter {
  readonly #options: StatusReporterOptions;

  constructor(options: StatusReporterOptions) {
    this.#options = options;
  }

  /** @throws KubeError */
  async report(config: NodeConfig, phaseStatus: PhaseStatus, rejection?: Rejection): Promise<void> {
    const { client, lease, state, pods, recommendations, clock, metrics, log } = this.#options;
    // Another look may have written it in the meantime.
    const current = state.nodeConfigs.get(config.name);
    if (!current) return;
    const name = current.nodeName ?? '';
    const node = state.nodes.get(name)?.observed;
    const recommendation = recommendations.get(name);
    const facts = { config: current, phaseStatus, rejection, node, gpuPods: pods.on(name), recommendation };
    const status = nodeConfigStatus(facts, clock.now());
    if (!status) return;
    const path = `${CUSTOM_RESOURCES.nodeConfigs}/${encodeURIComponent(config.name)}/status`;
    const body = [{ op: 'add', path: '/status', value: status }];
    try {
      const reply = await client.json('PATCH', path, { body, contentType: JSON_PATCH, maySend: () => lease.isHeld });
      state.nodeConfigs.accept(reply);
      metrics.statusWrites.inc();
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return;
      throw error;
    }
    const before = current.status?.conditions?.find(({ type }) => type === 'Ready');
    const reason = rejection ? 'Rejected' : phaseStatus.reason;
    // Another rule stands against it than before; other sentences change with the pods that they name.
    const isOther = before?.reason !== phaseStatus.reason || (rejection && before.message !== phaseStatus.message);
    if (!isOther || !isWarning(reason)) return;
    if (phaseStatus.isForeignEdit) metrics.foreignEdits.inc();
    log.warn({ config: config.name, node: name, reason }, phaseStatus.message);
    await this.event(config, reason, phaseStatus.message);
  }

  event(config: NodeConfig, reason: EventReason, message: string): Promise<void> {
    return this.#options.events.record(nodeConfigSubject(config), reason, message);
  }
}

/** Whether users who do not look at statuses should hear of it. */
function isWarning(reason: string): reason is EventReason {
  return isEventReason(reason) && EVENTS[reason].type === 'Warning';
}

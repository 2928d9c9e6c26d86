/** Tells people: the status of GPUNodeConfigs, where it changes, and events. */

import { API_GROUP, API_VERSION, CONTROLLER_NAME, CUSTOM_RESOURCES } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import type { Rejection } from '../core/partitioning/desired-partition.ts';
import { type EventContent, EventRecorder } from '../kube/event-recorder.ts';
import { type KubeClient, KubeError } from '../kube/kube-client.ts';
import type { Lease } from '../kube/lease.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { GpuPods } from '../state/gpu-pods.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ReconcilerMetrics } from './metrics.ts';
import { nodeConfigStatus } from './node-config-status.ts';
import type { PhaseStatus } from './step.ts';

export interface StatusReporterOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly state: Pick<ClusterState, 'nodes' | 'nodeConfigs'>;
  readonly pods: GpuPods;
  /** Of the planner, by node. */
  readonly recommendations: ReadonlyMap<string, string>;
  readonly log: Logger;
  readonly metrics: Pick<ReconcilerMetrics, 'statusWrites' | 'foreignEdits'>;
  readonly date: () => Date;
}

/** Reasons that somebody should hear of. */
const WARNINGS: ReadonlySet<string> = new Set([
  'Rejected',
  'Conflict',
  'ForeignEdit',
  'CannotDrain',
  'DrainTimeout',
  'NotOffered',
  'ConfigMapUnusable',
]);

export class StatusReporter {
  readonly #options: StatusReporterOptions;
  readonly #events: EventRecorder;

  constructor(options: StatusReporterOptions) {
    const { client, date, log } = options;
    this.#options = options;
    const failed = ({ message }: Error) => log.warn({ error: message }, 'an event could not be made');
    this.#events = new EventRecorder({ client, date, failed, component: CONTROLLER_NAME });
  }

  /** @throws KubeError */
  async report(config: NodeConfig, phaseStatus: PhaseStatus, rejection?: Rejection): Promise<void> {
    const { client, lease, state, pods, recommendations, date, metrics, log } = this.#options;
    // Another look may have written it in the meantime.
    const current = state.nodeConfigs.get(config.name);
    if (!current) return;
    const name = current.nodeName ?? '';
    const node = state.nodes.get(name)?.observed;
    const recommendation = recommendations.get(name);
    const facts = { config: current, phaseStatus, rejection, node, gpuPods: pods.on(name), recommendation };
    const status = nodeConfigStatus(facts, date());
    if (!status) return;
    const path = `${CUSTOM_RESOURCES.nodeConfigs}/${encodeURIComponent(config.name)}/status`;
    const body = [{ op: 'add', path: '/status', value: status }];
    try {
      const contentType = 'application/json-patch+json';
      const reply = await client.json('PATCH', path, { body, contentType, maySend: () => lease.isHeld });
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
    if (!isOther || !WARNINGS.has(reason)) return;
    if (phaseStatus.isForeignEdit) metrics.foreignEdits.inc();
    log.warn({ config: config.name, node: name, reason }, phaseStatus.message);
    await this.event(config, { type: 'Warning', reason, message: phaseStatus.message });
  }

  event({ name, uid }: NodeConfig, news: EventContent): Promise<void> {
    return this.#events.record({ apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'GPUNodeConfig', name, uid }, news);
  }
}

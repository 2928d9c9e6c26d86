/** Tells people: the status of GPUNodeConfigs, where it changes, and events. */

import { API_GROUP, API_VERSION, CONTROLLER_NAME, CUSTOM_RESOURCES } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import { type EventNews, Events } from '../cluster/events.ts';
import { type KubeClient, KubeError } from '../cluster/kube-client.ts';
import type { Lease } from '../cluster/lease.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ReconcilerMetrics } from '../telemetry/metrics.ts';
import type { ConfigBook, NodeBook } from './books.ts';
import type { Rejection } from './desired.ts';
import type { GpuPods } from './gpu-pods.ts';
import { dueStatus } from './status.ts';
import type { Standing } from './step.ts';

export interface ReportsOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly nodes: NodeBook;
  readonly configs: ConfigBook;
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

export class Reports {
  readonly #options: ReportsOptions;
  readonly #events: Events;

  constructor(options: ReportsOptions) {
    const { client, date, log } = options;
    this.#options = options;
    const failed = ({ message }: Error) => log.warn({ error: message }, 'an event could not be made');
    this.#events = new Events({ client, date, failed, component: CONTROLLER_NAME });
  }

  /** @throws KubeError */
  async tell(config: NodeConfig, standing: Standing, rejection?: Rejection): Promise<void> {
    const { client, lease, nodes, configs, pods, recommendations, date, metrics, log } = this.#options;
    // Another look may have written it in the meantime.
    const current = configs.get(config.name);
    if (!current) return;
    const name = current.nodeName ?? '';
    const node = nodes.get(name);
    const recommendation = recommendations.get(name);
    const facts = { config: current, standing, rejection, node, holders: pods.on(name), recommendation };
    const status = dueStatus(facts, date());
    if (!status) return;
    const path = `${CUSTOM_RESOURCES.nodeConfigs}/${encodeURIComponent(config.name)}/status`;
    const body = [{ op: 'add', path: '/status', value: status }];
    try {
      const contentType = 'application/json-patch+json';
      const reply = await client.json('PATCH', path, { body, contentType, maySend: () => lease.isHeld });
      configs.feed.changed(reply);
      metrics.statusWrites.inc();
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return;
      throw error;
    }
    const before = current.status?.conditions?.find(({ type }) => type === 'Ready');
    const reason = rejection ? 'Rejected' : standing.reason;
    // Another rule stands against it than before; other sentences change with the pods that they name.
    const isOther = before?.reason !== standing.reason || (rejection && before.message !== standing.message);
    if (!isOther || !WARNINGS.has(reason)) return;
    if (reason === 'ForeignEdit') metrics.foreignEdits.inc();
    log.warn({ config: config.name, node: name, reason }, standing.message);
    await this.event(config, { type: 'Warning', reason, message: standing.message });
  }

  event({ name, uid }: NodeConfig, news: EventNews): Promise<void> {
    return this.#events.tell({ apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'GPUNodeConfig', name, uid }, news);
  }
}

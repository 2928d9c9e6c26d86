/** Performs the step that was found for a node, and says what follows from it. */

import type { EventReason } from '../api/events.ts';
import type { NodeConfig } from '../api/node-config.ts';
import { type KubeClient, KubeError, MERGE_PATCH } from '../kube/kube-client.ts';
import type { Lease } from '../kube/lease.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { ObservedNode } from '../state/observed-node.ts';
import type { Logger } from '../telemetry/logger.ts';
import { ConfigMapStoreError } from './config-map-store.ts';
import type { ConfigMapStoreProvider } from './config-map-store-provider.ts';
import { SWITCHED_OFF } from './desired-state.ts';
import { evict } from './evict.ts';
import type { ReconcilerMetrics } from './metrics.ts';
import type { ReconcilerSettings } from './settings.ts';
import type { StatusReporter } from './status-reporter.ts';
import type { Action, PhaseStatus, Step, StepOf } from './step.ts';

export interface StepPerformerOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly lease: Pick<Lease, 'isHeld'>;
  readonly state: Pick<ClusterState, 'nodes'>;
  readonly configMaps: Pick<ConfigMapStoreProvider, 'add' | 'has'>;
  readonly reports: Pick<StatusReporter, 'event'>;
  readonly settings: () => ReconcilerSettings;
  readonly log: Logger;
  readonly metrics: Pick<ReconcilerMetrics, 'repairs' | 'transitions'>;
  /** ms after which a node is looked at again whose next step is due. */
  readonly settleMs: number;
}

export interface Outcome {
  /** ms after which the node is looked at again; undefined if that is left to whatever changes. */
  readonly wakeMs?: number;
  /** Another client has changed the node, or removed it: nothing was written. */
  readonly isOutdated?: boolean;
  /** The status in place of the step's own. */
  readonly phaseStatus?: PhaseStatus;
  /** Said after the sentence of the status. */
  readonly addition?: string | undefined;
}

/** Wait before a node is looked at again that another client has changed first. */
const OUTDATED_MS = 100;

/** Events of a GPUNodeConfig, and results in the metrics, by what was done. */
const NEWS: Readonly<Record<Action, { readonly reason: EventReason; readonly result?: string } | undefined>> = {
  begin: { reason: 'PartitionChanging' },
  retarget: undefined,
  adopt: undefined,
  apply: undefined,
  repair: { reason: 'PartitionRepaired' },
  finish: { reason: 'PartitionReady', result: 'finished' },
  abort: { reason: 'PartitionPostponed', result: 'postponed' },
  fail: { reason: 'PartitionFailed', result: 'failed' },
};

export class StepPerformer {
  readonly #options: StepPerformerOptions;

  constructor(options: StepPerformerOptions) {
    this.#options = options;
  }

  /** @throws KubeError, ConfigMapStoreError where the step is to be tried again */
  async perform(name: string, config: NodeConfig | undefined, step: Step): Promise<Outcome> {
    switch (step.do) {
      case 'nothing':
        return {};
      case 'write-configs':
        return await this.#writeConfigs(name, step);
      case 'evict':
        return await this.#evict(step);
      case 'patch':
        return await this.#patch(name, config, step);
    }
  }

  async #writeConfigs(name: string, { plugin, mig }: StepOf<'write-configs'>): Promise<Outcome> {
    const { configMaps, settings, settleMs } = this.#options;
    try {
      await configMaps.add(plugin, mig);
      return { wakeMs: settleMs };
    } catch (error) {
      if (!isLasting(error)) throw error;
      const phase = this.#node(name)?.transition ? 'Configuring' : 'Pending';
      const { namespace, configMaps: names, times } = settings();
      const message = `${error.message} (ConfigMaps ${names.plugin} and ${names.mig} in ${namespace})`;
      return { wakeMs: times.evict, phaseStatus: { phase, reason: 'ConfigMapUnusable', message } };
    }
  }

  async #evict({ pods }: StepOf<'evict'>): Promise<Outcome> {
    const { client, lease } = this.#options;
    const refusals = new Set<string>();
    for (const pod of pods) {
      const refused = await evict(client, pod, () => lease.isHeld);
      if (refused !== undefined) refusals.add(`${pod.namespace}/${pod.name}: ${refused}`);
    }
    return { addition: [...refusals].sort()[0] };
  }

  /** Whether the names to be applied are still in the ConfigMaps: another client may have removed them. */
  async #mayPatch(name: string, { action }: StepOf<'patch'>): Promise<boolean> {
    const transition = action === 'apply' ? this.#node(name)?.transition : undefined;
    return !transition || (await this.#options.configMaps.has(transition));
  }

  /** One request, on the very object that the step was found for: if that has changed, the step is found again. */
  async #patch(name: string, config: NodeConfig | undefined, step: StepOf<'patch'>): Promise<Outcome> {
    const { client, lease, state, settleMs } = this.#options;
    const { unschedulable, ...metadata } = step.patch;
    const resourceVersion = state.nodes.versionOf(name);
    if (!(await this.#mayPatch(name, step))) return { wakeMs: settleMs };
    try {
      const body = {
        metadata: { ...metadata, resourceVersion },
        ...(unschedulable !== undefined && { spec: { unschedulable } }),
      };
      const path = `/api/v1/nodes/${encodeURIComponent(name)}`;
      const reply = await client.json('PATCH', path, { body, contentType: MERGE_PATCH, maySend: () => lease.isHeld });
      state.nodes.accept(reply);
    } catch (error) {
      if (!(error instanceof KubeError) || (error.status !== 409 && error.status !== 404)) throw error;
      return { isOutdated: true, wakeMs: OUTDATED_MS };
    }
    await this.#announce(name, config, step);
    return {};
  }

  /** By a line of the log, metrics and an event. */
  async #announce(
    name: string,
    config: NodeConfig | undefined,
    { action, phaseStatus }: StepOf<'patch'>,
  ): Promise<void> {
    const { log, metrics, reports, settings } = this.#options;
    const message =
      phaseStatus?.message ?? (settings().enabled ? 'nothing is wanted of it any more' : SWITCHED_OFF.message);
    log.info(
      { node: name, config: config?.name, action, reason: phaseStatus?.reason },
      `partition of ${name}: ${message}`,
    );
    if (action === 'repair') {
      metrics.repairs.inc({ reason: this.#node(name)?.transition?.repairs.at(-1)?.reason ?? 'unknown' });
    }
    const news = NEWS[action];
    if (!news) return;
    const { reason, result } = news;
    if (result !== undefined) metrics.transitions.inc({ result });
    if (config) await reports.event(config, reason, message);
  }

  #node(name: string): ObservedNode | undefined {
    return this.#options.state.nodes.get(name)?.observed;
  }
}

/** Whether time alone does not cure it: a namespace that is not there, a permission, an immutable ConfigMap. */
function isLasting(error: unknown): error is ConfigMapStoreError | KubeError {
  if (error instanceof ConfigMapStoreError) return true;
  return error instanceof KubeError && [400, 403, 404, 422].includes(error.status ?? 0);
}

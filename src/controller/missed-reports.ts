/** Tells of missed and of unclear pods: an event on each, a line in the log, and how many were missed. */

import { type KubeClient, KubeError } from '../cluster/kube-client.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { ControllerMetrics } from '../telemetry/metrics.ts';
import type { MissedPod, UnclearPod } from './missed-pods.ts';

export interface MissedReportsOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly log: Logger;
  readonly metrics: Pick<ControllerMetrics, 'missed'>;
  readonly now: () => Date;
}

const COMPONENT = 'gpu-autoscaler-controller';
/** An event's message may have 1,024 characters. */
const LONGEST_MESSAGE = 1_000;

export class MissedReports {
  readonly #options: MissedReportsOptions;
  /** Told of, by uid. */
  readonly #told = new Set<string>();

  constructor(options: MissedReportsOptions) {
    this.#options = options;
  }

  /** @throws KubeError if an event could not be made: what was not told is told the next time */
  async report(missed: readonly MissedPod[], unclear: readonly UnclearPod[]): Promise<void> {
    const { log, metrics } = this.#options;
    const counts = new Map<string, number>();
    for (const { mode } of missed) counts.set(mode, (counts.get(mode) ?? 0) + 1);
    metrics.missed.reset();
    for (const [strategy, count] of counts) metrics.missed.set({ strategy }, count);

    const present = new Set([...missed, ...unclear].map(({ uid }) => uid));
    for (const uid of this.#told) if (!present.has(uid)) this.#told.delete(uid);
    for (const pod of missed) {
      if (this.#told.has(pod.uid)) continue;
      const { namespace, name, workload, mode, repair } = pod;
      const what = `slipped past the webhook: it holds, or waits for, a whole GPU and could share one by ${mode}`;
      await this.#tell(pod, 'NotOptimized', `${what}. To repair: ${repair}`);
      const details = {
        pod: `${namespace}/${name}`,
        workload: `${workload.kind}/${workload.name}`,
        strategy: mode,
        repair,
      };
      log.warn(details, 'a pod slipped past the webhook: it holds, or waits for, a whole GPU');
    }
    for (const pod of unclear) {
      if (this.#told.has(pod.uid)) continue;
      await this.#tell(pod, 'NotUnderstood', `left as it is: ${pod.faults.join('; ')}`);
      log.warn({ pod: `${pod.namespace}/${pod.name}`, faults: pod.faults }, 'the wishes of a pod cannot be read');
    }
  }

  /** Under a name that follows from the pod: after a restart it is there already. */
  async #tell({ uid, namespace, name }: UnclearPod | MissedPod, reason: string, message: string): Promise<void> {
    const { client, now } = this.#options;
    const time = now().toISOString();
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name.slice(0, 200)}.${uid.slice(0, 8)}.${reason.toLowerCase()}`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      type: 'Warning',
      reason,
      message: message.slice(0, LONGEST_MESSAGE),
      source: { component: COMPONENT },
      reportingComponent: COMPONENT,
      reportingInstance: COMPONENT,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    try {
      await client.json('POST', `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, { body });
    } catch (error) {
      if (!isTold(error)) throw error;
    }
    this.#told.add(uid);
  }
}

/** It is there already; or its namespace is gone or on the way out, and nobody reads events there. */
function isTold(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  const { status, message } = error;
  return status === 409 || status === 404 || (status === 403 && /being terminated/.test(message));
}

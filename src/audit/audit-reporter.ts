/** Tells of missed and of unclear pods: an event on each, a line in the log, and how many were missed. */

import { CONTROLLER_NAME } from '../api/keys.ts';
import { eventNameStart, postEvent } from '../kube/event-recorder.ts';
import { type KubeClient, KubeError } from '../kube/kube-client.ts';
import { isRefusal } from '../kube/refusal.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Findings, MissedPod, UnclearPod } from './audit.ts';
import type { AuditMetrics } from './metrics.ts';

export interface AuditReporterOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly log: Logger;
  readonly metrics: Pick<AuditMetrics, 'missed'>;
  readonly now: () => Date;
}

export class AuditReporter {
  readonly #options: AuditReporterOptions;
  /** Told of, by uid and reason. */
  readonly #told = new Set<string>();

  constructor(options: AuditReporterOptions) {
    this.#options = options;
  }

  /** @throws KubeError if an event could not be made: what was not told is told the next time */
  async report({ missed, unclear }: Findings): Promise<void> {
    const { log, metrics } = this.#options;
    const counts = new Map<string, number>();
    for (const { mode } of missed) counts.set(mode, (counts.get(mode) ?? 0) + 1);
    metrics.missed.reset();
    for (const [strategy, count] of counts) metrics.missed.set({ strategy }, count);

    const due = [...missed.map((pod) => this.#missed(pod)), ...unclear.map((pod) => this.#unclear(pod))];
    const present = new Set(due.map(keyOf));
    for (const key of this.#told) if (!present.has(key)) this.#told.delete(key);
    let refusal: KubeError | undefined;
    for (const notice of due) {
      if (this.#told.has(keyOf(notice))) continue;
      try {
        await this.#tell(notice);
      } catch (error) {
        // A namespace that takes no more events must not keep those of others back.
        if (!isRefusal(error)) throw error;
        refusal = error;
        continue;
      }
      this.#told.add(keyOf(notice));
      log.warn({ pod: `${notice.pod.namespace}/${notice.pod.name}`, ...notice.details }, notice.line);
    }
    if (refusal) throw refusal;
  }

  #missed(pod: MissedPod): Notice {
    const { workload, mode, repair } = pod;
    return {
      pod,
      reason: 'NotOptimized',
      message: `slipped past the webhook: it holds, or waits for, a whole GPU and could share one by ${mode}. To repair: ${repair}`,
      line: 'a pod slipped past the webhook: it holds, or waits for, a whole GPU',
      details: { workload: `${workload.kind}/${workload.name}`, strategy: mode, repair },
    };
  }

  #unclear(pod: UnclearPod): Notice {
    const { faults } = pod;
    return {
      pod,
      reason: 'NotUnderstood',
      message: `left as it is: ${faults.join('; ')}`,
      line: 'the wishes of a pod cannot be read',
      details: { faults },
    };
  }

  /** Under a name that follows from the pod: after a restart it is there already. */
  async #tell({ pod: { uid, namespace, name }, reason, message }: Notice): Promise<void> {
    const { client, now } = this.#options;
    const subject = { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
    const event = `${eventNameStart(name)}.${uid.slice(0, 8)}.${reason.toLowerCase()}`;
    try {
      const news = { type: 'Warning', reason, message } as const;
      await postEvent(client, subject, news, { name: event, component: CONTROLLER_NAME, at: now() });
    } catch (error) {
      if (!isTold(error)) throw error;
    }
  }
}

/** What is told of a pod: to its owner by an event, to operators by a line. */
interface Notice {
  readonly pod: MissedPod | UnclearPod;
  readonly reason: 'NotOptimized' | 'NotUnderstood';
  readonly message: string;
  readonly line: string;
  readonly details: object;
}

function keyOf({ pod, reason }: Notice): string {
  return `${pod.uid} ${reason}`;
}

/** It is there already; or its namespace is gone or on the way out, and nobody reads events there. */
function isTold(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  const { status, message } = error;
  return status === 409 || status === 404 || (status === 403 && /being terminated/.test(message));
}

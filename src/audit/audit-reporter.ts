/** Reports missed and unclear pods: an event on each, a line in the log, and how many were missed. */

import { podSubject } from '../api/events.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { KubeError } from '../kube/kube-client.ts';
import { isRefusal } from '../kube/refusal.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Findings, MissedPod, UnclearPod } from './audit.ts';
import type { AuditMetrics } from './metrics.ts';

export interface AuditReporterOptions {
  readonly events: Pick<EventRecorder, 'recordOnce'>;
  readonly log: Logger;
  readonly metrics: Pick<AuditMetrics, 'missed'>;
}

export class AuditReporter {
  readonly #options: AuditReporterOptions;
  /** Reported already, by uid and reason. */
  readonly #reported = new Set<string>();

  constructor(options: AuditReporterOptions) {
    this.#options = options;
  }

  /** @throws KubeError if an event could not be made: what was not reported is reported the next time */
  async report({ missed, unclear }: Findings): Promise<void> {
    const { log, metrics, events } = this.#options;
    const counts = new Map<string, number>();
    for (const { mode } of missed) counts.set(mode, (counts.get(mode) ?? 0) + 1);
    metrics.missed.reset();
    for (const [strategy, count] of counts) metrics.missed.set({ strategy }, count);

    const due = [...missed.map((pod) => this.#missed(pod)), ...unclear.map((pod) => this.#unclear(pod))];
    const present = new Set(due.map(keyOf));
    for (const key of this.#reported) if (!present.has(key)) this.#reported.delete(key);
    let refusal: KubeError | undefined;
    for (const notice of due) {
      if (this.#reported.has(keyOf(notice))) continue;
      try {
        await events.recordOnce(podSubject(notice.pod), notice.reason, notice.message);
      } catch (error) {
        // A namespace that takes no more events must not keep those of others back.
        if (!isRefusal(error)) throw error;
        refusal = error;
        continue;
      }
      this.#reported.add(keyOf(notice));
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
}

/** A finding: for the pod's owner an event, for operators a line. */
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

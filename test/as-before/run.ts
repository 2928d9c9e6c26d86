/** An install never stops what ran, asked of a real control plane: cases at random, and what became of each. */

import fc from 'fast-check';
import { installDefinitions } from '../cluster/custom-resources.ts';
import { startInProcessExtender, startInProcessWebhook } from '../cluster/stack.ts';
import type { Cluster } from '../cluster/start.ts';
import { clusterCases, fitsWithoutUs } from '../property/cluster-cases.ts';
import { mayWait, type NumberedCase, type Outcome, playBatch, recordsOf } from './batch.ts';

/** Cases at a time: some 250 nodes. */
const BATCH = 100;

export interface AsBeforeOptions {
  readonly runs: number;
  readonly seed: number;
  /** Ends the run after the batch that is under way. */
  readonly signal?: AbortSignal;
  readonly log: (line: string) => void;
}

export interface AsBeforeReport {
  readonly cases: number;
  readonly nodes: number;
  /** Pods that the stock kube-scheduler bound. */
  readonly boundWithoutUs: number;
  /** Of these, those that declare a need that no node which took them is known to have: they may wait. */
  readonly mayWait: number;
  /** The others, by what became of them: `mps`, …, `exclusive`, `as it came`. */
  readonly became: ReadonlyMap<string, number>;
  /** What must not be, each with its case. */
  readonly breaches: readonly string[];
  readonly seconds: number;
}

/**
 * Nothing is configured for the planner: slots that are still to be made are promised to no pod, and need emulated nodes.
 * @param cluster without kubelets and schedulers
 */
export async function runAsBefore(cluster: Cluster, options: AsBeforeOptions): Promise<AsBeforeReport> {
  const { runs, seed, signal, log } = options;
  const started = performance.now();
  const closing: (() => Promise<void>)[] = [];
  const counts = { cases: 0, nodes: 0, boundWithoutUs: 0, mayWait: 0 };
  const became = new Map<string, number>();
  const breaches: string[] = [];
  try {
    await installDefinitions(cluster.client);
    const extender = await startInProcessExtender(cluster, 'bestfit');
    closing.push(() => extender.close());
    await extender.ready;
    await cluster.startScheduler({ extenderUrl: extender.url });
    await cluster.startScheduler({});
    const webhook = await startInProcessWebhook(cluster);
    closing.push(() => webhook.close());
    const cases = fc.sample(clusterCases, { numRuns: runs, seed }).map((given, index) => ({ index, given }));
    for (let first = 0; first < runs && !signal?.aborted; first += BATCH) {
      const batch: readonly NumberedCase[] = cases.slice(first, first + BATCH);
      for (const outcome of await playBatch(cluster.client, first / BATCH, batch)) {
        counts.cases += 1;
        counts.nodes += outcome.nodes.length;
        breaches.push(...faultsOf(outcome));
        if (outcome.without === undefined) continue;
        counts.boundWithoutUs += 1;
        if (mayWait(outcome)) counts.mayWait += 1;
        else if (outcome.withUs) became.set(outcome.withUs.became, (became.get(outcome.withUs.became) ?? 0) + 1);
      }
      const rate = counts.cases / ((performance.now() - started) / 1000);
      log(
        `${counts.cases} of ${runs} cases (${rate.toFixed(1)}/s), ${counts.boundWithoutUs} bound without us, ` +
          `${breaches.length} breaches`,
      );
    }
  } finally {
    for (const close of closing.toReversed()) await close();
  }
  return { ...counts, became, breaches, seconds: (performance.now() - started) / 1000 };
}

/** A pod that no longer runs; or a word of kube-scheduler's that the pure property expects otherwise. */
function faultsOf(outcome: Outcome): string[] {
  const { index, given, before, nodes, without, withUs } = outcome;
  const about = `case ${index} ${JSON.stringify({ pod: given.pod, policy: given.policy, nodes: given.nodes })}`;
  const expected = recordsOf(nodes).some((record) => fitsWithoutUs(before, record));
  if (expected !== (without !== undefined))
    return [
      `kube-scheduler ${without ? `binds to ${without}` : 'refuses'} what the property takes otherwise: ${about}`,
    ];
  if (without === undefined || withUs?.node !== undefined || mayWait(outcome)) return [];
  const { became, refusal = 'without a word', reason } = withUs ?? {};
  return [`bound without us, waits with us (${became}; ${refusal}; ${reason}): ${about}`];
}

/** What is asked of Prometheus about the past, and what follows for each workload. Pure: queries are text, answers are samples. */

import type { WorkloadHistory } from '../../core/admission/facts.ts';
import { suitsMps } from '../../core/admission/replicas.ts';
import type { Sample } from './prometheus.ts';
import { possibleWorkloads } from './workload-names.ts';

/** Metrics of dcgm-exporter that tell how busy a GPU is, the better one first; and what makes a share of 0 to 1 of them. */
const BUSY = [
  { metric: 'DCGM_FI_PROF_GR_ENGINE_ACTIVE', scale: 1 },
  { metric: 'DCGM_FI_DEV_GPU_UTIL', scale: 0.01 },
] as const;
const MEMORY = 'DCGM_FI_DEV_FB_USED';

/**
 * Both ways of naming the pod: `exported_pod` where Prometheus keeps its own `pod` label for the exporter
 * (`honor_labels: false`). GPUs that no pod holds, and shared ones that the exporter maps to none, drop out later.
 */
const BY = 'by (namespace, pod, exported_namespace, exported_pod)';

export const QUERIES = {
  sum: BUSY.map(({ metric }) => `sum ${BY} (sum_over_time(${metric}[7d]))`),
  count: BUSY.map(({ metric }) => `sum ${BY} (count_over_time(${metric}[7d]))`),
  p95: BUSY.map(({ metric }) => `avg ${BY} (quantile_over_time(0.95, ${metric}[1d]))`),
  /** MiB. */
  peak: `max ${BY} (max_over_time(${MEMORY}[7d]))`,
} as const;

export interface Answers {
  /** One list for each metric of `BUSY`. */
  readonly sum: readonly (readonly Sample[])[];
  readonly count: readonly (readonly Sample[])[];
  readonly p95: readonly (readonly Sample[])[];
  readonly peak: readonly Sample[];
}

/** Below it a workload was hardly there: ten minutes at a scrape every 30 s. */
const LEAST_SAMPLES = 20;

interface PodUse {
  sum: number;
  count: number;
  p95: number | undefined;
  peakMiB: number | undefined;
}

/**
 * By workload (`workloadKey`): the mean over all samples of all its pods, the mean of their 95th percentiles, the highest
 * peak of memory.
 * @param before what was said last, for hysteresis
 */
export function historiesOf(
  answers: Answers,
  before: ReadonlyMap<string, WorkloadHistory>,
): Map<string, WorkloadHistory> {
  const workloads = new Map<string, PodUse[]>();
  for (const { namespace, pod, use } of podsOf(answers)) {
    for (const key of possibleWorkloads(namespace, pod)) {
      const uses = workloads.get(key);
      if (uses) uses.push(use);
      else workloads.set(key, [use]);
    }
  }
  const histories = new Map<string, WorkloadHistory>();
  for (const [key, uses] of workloads) {
    const count = total(uses.map((use) => use.count));
    if (count < LEAST_SAMPLES) continue;
    const mean = Math.min(1, total(uses.map((use) => use.sum)) / count);
    const p95s = uses.flatMap(({ p95 }) => p95 ?? []);
    const peaks = uses.flatMap(({ peakMiB }) => peakMiB ?? []);
    const p95 = p95s.length > 0 ? Math.min(1, Math.max(mean, total(p95s) / p95s.length)) : mean;
    const peakMiB = peaks.length > 0 ? Math.max(...peaks) : undefined;
    histories.set(key, { mean, p95, peakMiB, suitsMps: suitsMps({ mean, p95 }, before.get(key)?.suitsMps) });
  }
  return histories;
}

function podsOf(answers: Answers): { namespace: string; pod: string; use: PodUse }[] {
  const pods = new Map<string, { namespace: string; pod: string; use: PodUse }>();
  const entry = ({ labels }: Sample) => {
    const pod = labels.exported_pod || labels.pod;
    const namespace = labels.exported_pod ? labels.exported_namespace : labels.namespace;
    if (!pod || !namespace) return undefined;
    const key = `${namespace}/${pod}`;
    const known = pods.get(key);
    if (known) return known.use;
    const use: PodUse = { sum: 0, count: 0, p95: undefined, peakMiB: undefined };
    pods.set(key, { namespace, pod, use });
    return use;
  };
  // The worse metric first: where both tell, the better one has the last word.
  for (const [i, { scale }] of [...BUSY.entries()].toReversed()) {
    const told = new Map<PodUse, { sum: number; count: number; p95: number | undefined }>();
    const of = (sample: Sample) => {
      const use = entry(sample);
      if (!use) return undefined;
      const figures = told.get(use) ?? { sum: 0, count: 0, p95: undefined };
      told.set(use, figures);
      return figures;
    };
    for (const sample of answers.sum[i] ?? []) add(of(sample), 'sum', sample.value * scale);
    for (const sample of answers.count[i] ?? []) add(of(sample), 'count', sample.value);
    for (const sample of answers.p95[i] ?? []) {
      const figures = of(sample);
      if (figures) figures.p95 = sample.value * scale;
    }
    for (const [use, figures] of told) if (figures.count > 0) Object.assign(use, figures);
  }
  for (const sample of answers.peak) {
    const use = entry(sample);
    if (use) use.peakMiB = Math.max(use.peakMiB ?? 0, sample.value);
  }
  return [...pods.values()];
}

function add<K extends string>(figures: Record<K, number> | undefined, key: K, value: number): void {
  if (figures) figures[key] += value;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

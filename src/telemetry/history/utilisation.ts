/** What is asked of Prometheus about the past, and what follows for each workload. Pure: queries are text, answers are samples. */

import type { WorkloadHistory } from '../../core/admission/decision-input.ts';
import { HEADROOM } from '../../core/admission/find-slot.ts';
import { suitsMps } from '../../core/admission/replicas.ts';
import { migClassOf } from '../../core/gpu-catalog.ts';
import { instanceMilli, type MigProfile, namedMiB, parseMigProfile } from '../../core/mig/profile.ts';
import type { Sample } from './prometheus.ts';
import { possibleWorkloads } from './workload-names.ts';

/**
 * Both ways of naming the pod: `exported_pod` where Prometheus keeps its own `pod` label for the exporter
 * (`honor_labels: false`). GPUs that no pod holds drop out later.
 */
const BY = 'by (namespace, pod, exported_namespace, exported_pod, GPU_I_PROFILE, modelName)';
/**
 * GPUs that the pod had for itself. `vgpu` is a slot of a shared one (KUBERNETES_VIRTUAL_GPUS): what is measured there
 * is of all pods that share it, or of none in particular.
 */
const ALONE = 'vgpu=""';

/** Metrics of dcgm-exporter of how busy a GPU is, the better one first; and what makes a share of 0 to 1 of them. */
const BUSY = [
  { metric: 'DCGM_FI_PROF_GR_ENGINE_ACTIVE', series: `{${ALONE}}`, scale: 1 },
  // Of a MIG instance it says 0, or nothing.
  { metric: 'DCGM_FI_DEV_GPU_UTIL', series: `{${ALONE},GPU_I_PROFILE=""}`, scale: 0.01 },
] as const;

/** Of one pod, by one metric. */
interface Busy {
  sum: number | undefined;
  count: number;
  /** A 95th percentile for each kind of GPU that the pod had. */
  p95s: number[];
}

interface PodUse {
  readonly namespace: string;
  readonly pod: string;
  /** One for each metric of `BUSY`. */
  readonly busy: readonly Busy[];
  peakMiB: number | undefined;
}

export interface Question {
  readonly query: string;
  readonly take: (use: PodUse, value: number, gpu: number, instance: MigProfile | undefined) => void;
}

/** One query each. What is `taken`: the value, and the part of a GPU that it was measured on. */
export const QUESTIONS: readonly Question[] = [
  ...BUSY.flatMap(({ metric, series, scale }, i): Question[] => {
    const takeBusy = (apply: (busy: Busy, value: number, gpu: number) => void): Question['take'] => {
      return ({ busy }, value, gpu) => {
        const measured = busy[i];
        if (measured) apply(measured, value, gpu);
      };
    };
    return [
      {
        query: `sum ${BY} (sum_over_time(${metric}${series}[7d]))`,
        take: takeBusy((busy, value, gpu) => {
          busy.sum = (busy.sum ?? 0) + value * scale * gpu;
        }),
      },
      {
        query: `sum ${BY} (count_over_time(${metric}${series}[7d]))`,
        take: takeBusy((busy, value) => {
          busy.count += value;
        }),
      },
      {
        query: `avg ${BY} (quantile_over_time(0.95, ${metric}${series}[1d]))`,
        take: takeBusy((busy, value, gpu) => {
          busy.p95s.push(value * scale * gpu);
        }),
      },
    ];
  }),
  {
    // MiB.
    query: `max ${BY} (max_over_time(DCGM_FI_DEV_FB_USED{${ALONE}}[7d]))`,
    take: (use, value, _gpu, instance) => {
      // What ran in an instance needs no larger one, however full it was: many take all the memory that they see.
      const enough = instance ? namedMiB(instance) / HEADROOM : Number.POSITIVE_INFINITY;
      use.peakMiB = Math.max(use.peakMiB ?? 0, Math.min(value, enough));
    },
  },
];

/** Below it a workload was hardly there: ten minutes at a scrape every 30 s. */
const LEAST_SAMPLES = 20;

interface Totals {
  sum: number;
  count: number;
  p95Sum: number;
  p95Count: number;
  peakMiB: number | undefined;
}

/** The answers of one refresh, taken as they come. */
export class Uses {
  readonly #pods = new Map<string, PodUse>();
  /** By profile and model. */
  readonly #instances = new Map<string, number>();

  take({ take }: Question, samples: readonly Sample[]): void {
    for (const { labels, value } of samples) {
      const use = this.#useOf(labels);
      const { GPU_I_PROFILE: profile } = labels;
      if (use) take(use, value, this.#gpuOf(labels), profile ? parseMigProfile(profile) : undefined);
    }
  }

  /**
   * By workload (`historyKey`): the mean over all samples of all its pods, the mean of their 95th percentiles, the
   * highest peak of memory. A generator, so that others may have their turn: it yields after every few pods.
   * @param before what was said last, for hysteresis
   */
  *histories(before: ReadonlyMap<string, WorkloadHistory>): Generator<void, Map<string, WorkloadHistory>> {
    const workloads = new Map<string, Totals>();
    let steps = 0;
    for (const use of this.#pods.values()) {
      for (const key of possibleWorkloads(use.namespace, use.pod)) addTo(workloads, key, use);
      steps += 1;
      if (steps % POD_SLICE === 0) yield;
    }
    const histories = new Map<string, WorkloadHistory>();
    for (const [key, totals] of workloads) {
      const history = historyOf(totals, before.get(key)?.suitsMps);
      if (history) histories.set(key, history);
      steps += 1;
      if (steps % POD_SLICE === 0) yield;
    }
    return histories;
  }

  #useOf(labels: Sample['labels']): PodUse | undefined {
    // Each by itself: Prometheus moves aside what its target has a label of the same name for.
    const pod = labels.exported_pod || labels.pod;
    const namespace = labels.exported_namespace || labels.namespace;
    if (!pod || !namespace) return undefined;
    const key = `${namespace}/${pod}`;
    const known = this.#pods.get(key);
    if (known) return known;
    const busy = BUSY.map((): Busy => ({ sum: undefined, count: 0, p95s: [] }));
    const use: PodUse = { namespace, pod, busy, peakMiB: undefined };
    this.#pods.set(key, use);
    return use;
  }

  /** Part of a whole GPU, 0 to 1: an instance is busy in its own terms. */
  #gpuOf({ GPU_I_PROFILE: profile, modelName = '' }: Sample['labels']): number {
    if (!profile) return 1;
    const key = `${profile} ${modelName}`;
    const known = this.#instances.get(key);
    if (known !== undefined) return known;
    const parsed = parseMigProfile(profile);
    const gpu = parsed ? instanceMilli(parsed, computeSlicesOf(modelName)) / 1000 : 1;
    this.#instances.set(key, gpu);
    return gpu;
  }
}

/** Pods taken in one turn of the event loop. */
const POD_SLICE = 500;

/** `NVIDIA A100-SXM4-40GB`; nearly all that know MIG have seven. */
function computeSlicesOf(modelName: string): number {
  return migClassOf(modelName.replaceAll(' ', '-'))?.computeSlices ?? 7;
}

function addTo(workloads: Map<string, Totals>, key: string, { busy, peakMiB }: PodUse): void {
  const totals = workloads.get(key) ?? { sum: 0, count: 0, p95Sum: 0, p95Count: 0, peakMiB: undefined };
  workloads.set(key, totals);
  const best = better(busy);
  if (best) {
    totals.sum += best.sum ?? 0;
    totals.count += best.count;
  }
  if (best && best.p95s.length > 0) {
    totals.p95Sum += best.p95s.reduce((sum, p95) => sum + p95, 0) / best.p95s.length;
    totals.p95Count += 1;
  }
  if (peakMiB !== undefined) totals.peakMiB = Math.max(totals.peakMiB ?? 0, peakMiB);
}

/** The first metric with enough samples, which one that was just switched on lacks. A sum that is no number is ignored. */
function better(busy: readonly Busy[]): Busy | undefined {
  const usable = busy.filter(({ sum, count }) => sum !== undefined && count > 0);
  const most = Math.max(...usable.map(({ count }) => count));
  return usable.find(({ count }) => count >= Math.min(LEAST_SAMPLES, most / 2));
}

function historyOf({ sum, count, p95Sum, p95Count, peakMiB }: Totals, suitedMps: boolean | undefined) {
  if (count < LEAST_SAMPLES) return undefined;
  const mean = Math.min(1, sum / count);
  // Without samples of the last day it counts as steady: the fewest share.
  const p95 = p95Count > 0 ? Math.min(1, Math.max(mean, p95Sum / p95Count)) : mean;
  return { mean, p95, peakMiB, suitsMps: suitsMps({ mean, p95 }, suitedMps) };
}

/** How many may share a GPU, by how the workload used it before. */

/** Utilisation of a GPU, 0 to 1. */
export interface Utilisation {
  readonly mean: number;
  /** 95th percentile. */
  readonly p95: number;
}

/** 0 for steady work, towards 1 for work that comes in bursts: 1 − mean / p95. */
export function burstiness({ mean, p95 }: Utilisation): number {
  return p95 > 0 ? Math.max(0, 1 - mean / p95) : 0;
}

/**
 * Slots of one GPU; 1: no sharing. The first row that holds decides.
 * Source: the specification's table "Optimal Replicas Calculation".
 */
export function optimalReplicas(utilisation: Utilisation): number {
  const { mean } = utilisation;
  const bursts = burstiness(utilisation);
  if (mean < 0.2 && bursts > 0.7) return 8;
  if (mean < 0.4 && bursts > 0.5) return 4;
  if (mean <= 0.6) return 2;
  return 1;
}

/** Numbers of slots that a GPU is cut into, where no number is given: few kinds, up to `most`, which is one of them. */
export function usualReplicas(most: number): number[] {
  return [...new Set([2, 4, 8, 16, 32, most])].filter((replicas) => replicas <= most);
}

/**
 * Whether MPS suits the workload: up to 50% it does, above 60% it does not, and between the two what was so stays so.
 * @param before what was said last; undefined the first time
 */
export function suitsMps({ mean }: Utilisation, before: boolean | undefined): boolean {
  if (mean <= 0.5) return true;
  if (mean > 0.6) return false;
  return before ?? true;
}

/** The published policies, replicated: if they come out as published, the simulator can be trusted. */

import { expectedFragment } from '#src/core/scoring/fragment.ts';
import type { NodeView } from '#src/core/scoring/packing-node.ts';
import { covering } from '#src/core/scoring/task-classes.ts';
import type { Placement, Scorer, Strategy } from '#src/core/strategies/strategy.ts';

/** Task classes that make up this share of the pods, as published. */
const COVERAGE = 0.95;

/** Fragmentation Gradient Descent (ATC 2023): where the expected fragment grows least, by its truncated sigmoid score. */
export const fgd: Strategy = {
  name: 'FGD',
  scorer({ classes }): Scorer {
    const covered = covering(classes, COVERAGE);
    return scorerOf((node, demand) =>
      bestOf(node, demand.gpus === 1 && demand.milli < 1000 ? demand.milli : undefined, (after) => {
        const cpuFree = node.cpuFree - demand.cpuMilli;
        if (demand.milli === 1000) takeWhole(after, demand.gpus);
        const growth =
          expectedFragment({ ...viewOf(node), cpuFree, gpuFree: after }, covered) - expectedFragment(node, covered);
        return Math.floor(100 / (1 + Math.exp(growth / 1000)));
      }),
    );
  },
};

/** BestFit as the paper has it: least of a weighted sum of CPU and GPU is left, each against the largest node. */
export const paperBestFit: Strategy = {
  name: 'BestFit (paper)',
  scorer: (): Scorer =>
    scorerOf((node, demand) =>
      bestOf(node, demand.gpus === 1 && demand.milli < 1000 ? demand.milli : undefined, () => {
        const cpu = node.cpuFree - demand.cpuMilli;
        const gpu = node.totalMilli - node.heldMilli - demand.gpus * demand.milli;
        return -(0.5 * (cpu / 128_000) + 0.5 * (gpu / 8_000));
      }),
    ),
};

function scorerOf(place: Scorer['place']): Scorer {
  return { epoch: 0, placed: () => {}, place, score: (node, demand) => place(node, demand).score };
}

/** Tries every GPU that could hold the part, the fullest first; or just once for whole GPUs. */
function bestOf(node: NodeView, part: number | undefined, score: (gpuFree: number[]) => number): Placement {
  const free = Array.from(node.gpuFree);
  if (part === undefined) return { score: score(free), gpu: -1 };
  const candidates = [...free.keys()].filter((gpu) => (free[gpu] ?? 0) >= part);
  candidates.sort((a, b) => (free[a] ?? 0) - (free[b] ?? 0) || a - b);
  let best: Placement = { score: Number.NEGATIVE_INFINITY, gpu: -1 };
  for (const gpu of candidates) {
    const placement = { score: score(free.map((milli, i) => (i === gpu ? milli - part : milli))), gpu };
    if (placement.score > best.score) best = placement;
  }
  return best;
}

function takeWhole(gpuFree: number[], gpus: number): void {
  let wanted = gpus;
  for (const [gpu, milli] of gpuFree.entries()) {
    if (wanted === 0 || milli !== 1000) continue;
    gpuFree[gpu] = 0;
    wanted -= 1;
  }
}

/** The fields alone: a class instance cannot be spread. */
function viewOf({ name, createdAt, product, heldMilli, totalMilli }: NodeView) {
  return { name, createdAt, product, heldMilli, totalMilli };
}

/** What a replay looked like on the way: a point for each hundredth of the fleet's capacity that was asked for. */

import { expectedFragment } from '../scoring/fragment.ts';
import { covering, type TaskClass } from '../scoring/task-classes.ts';
import type { ReplayState } from './replay.ts';

export interface CurvePoint {
  /** milli-GPU asked for so far, in hundredths of capacity. */
  readonly arrivedPercent: number;
  /** milli-GPU held, in hundredths of capacity. */
  readonly allocatedPercent: number;
  /** Free milli-GPU of no use to an average task, in hundredths of capacity; looked at now and then, since it asks every node and class. */
  readonly fragmentedPercent: number | undefined;
  readonly failures: number;
}

const FRAGMENT_EVERY = 5;
/** An average task is one of the classes that make up this share of all: the definition of FGD's paper. */
const COVERAGE = 0.95;

/** Collects points; hand `observe` to the replay. */
export class Curve {
  readonly points: CurvePoint[] = [];
  readonly #classes: readonly TaskClass[];
  #last: ReplayState | undefined;

  constructor(classes: readonly TaskClass[]) {
    this.#classes = covering(classes, COVERAGE);
  }

  /** The point at a hundredth is the state before the arrival that goes past it. */
  readonly observe = (state: ReplayState): void => {
    const arrived = (100 * state.arrivedMilli) / state.capacityMilli;
    for (let percent = this.points.length; percent < arrived; percent += 1) {
      const { heldMilli, failures } = this.#last ?? { heldMilli: 0, failures: 0 };
      this.points.push({
        arrivedPercent: percent,
        allocatedPercent: (100 * heldMilli) / state.capacityMilli,
        fragmentedPercent: percent % FRAGMENT_EVERY === 0 ? this.#fragmented(state) : undefined,
        failures,
      });
    }
    // The state is the replay's own, and goes on changing: only figures are kept.
    this.#last = { ...state };
  };

  /** The last point: all that was asked for. */
  finish(state: ReplayState): void {
    this.points.push({
      arrivedPercent: (100 * state.arrivedMilli) / state.capacityMilli,
      allocatedPercent: (100 * state.heldMilli) / state.capacityMilli,
      fragmentedPercent: this.#fragmented(state),
      failures: state.failures,
    });
  }

  #fragmented({ nodes, capacityMilli }: ReplayState): number {
    let sum = 0;
    for (const node of nodes) sum += expectedFragment(node, this.#classes);
    return (100 * sum) / capacityMilli;
  }
}

/** What was held when so many hundredths of capacity had been asked for; the last point if it did not come to that. */
export function allocatedAt(curve: readonly CurvePoint[], percent: number): number {
  const point = curve.find(({ arrivedPercent }) => arrivedPercent >= percent) ?? curve.at(-1);
  return point?.allocatedPercent ?? 0;
}

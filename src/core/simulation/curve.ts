/** What a replay looked like on the way: a point for each hundredth of the fleet's capacity that was asked for. */

/** Figures of a replay so far. */
export interface ReplayFigures {
  readonly capacityMilli: number;
  /** milli-GPU asked for so far, whether placed or not, and milli-GPU held now. */
  readonly arrivedMilli: number;
  readonly heldMilli: number;
  readonly failures: number;
}

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
/** Collects points; hand `observe` to the replay. */
export class Curve<State extends ReplayFigures> {
  readonly points: CurvePoint[] = [];
  readonly #uselessMilli: (state: State) => number;
  #last: ReplayFigures | undefined;

  /** @param uselessMilli free milli-GPU of no use to an average task */
  constructor(uselessMilli: (state: State) => number) {
    this.#uselessMilli = uselessMilli;
  }

  /** The point at a hundredth is the state before the arrival that goes past it. */
  readonly observe = (state: State): void => {
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
  finish(state: State): void {
    this.points.push({
      arrivedPercent: (100 * state.arrivedMilli) / state.capacityMilli,
      allocatedPercent: (100 * state.heldMilli) / state.capacityMilli,
      fragmentedPercent: this.#fragmented(state),
      failures: state.failures,
    });
  }

  #fragmented(state: State): number {
    return (100 * this.#uselessMilli(state)) / state.capacityMilli;
  }
}

/** What was held when so many hundredths of capacity had been asked for; the last point if it did not come to that. */
export function allocatedAt(curve: readonly CurvePoint[], percent: number): number {
  const point = curve.find(({ arrivedPercent }) => arrivedPercent >= percent) ?? curve.at(-1);
  return point?.allocatedPercent ?? 0;
}

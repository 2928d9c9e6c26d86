/** One run of a simulation: a workload, a strategy, a seed, and what came of it. */

import { expectedFragment } from '../scoring/fragment.ts';
import type { PackingDemand } from '../scoring/packing-node.ts';
import { AVERAGE_COVERAGE, covering, taskClasses } from '../scoring/task-classes.ts';
import type { Strategy } from '../strategies/strategy.ts';
import { arrivals } from './arrivals.ts';
import { Curve, type CurvePoint } from './curve.ts';
import { type ReplayState, replay, type TraceEvent } from './replay.ts';
import type { SlotRow } from './slot-replay.ts';
import type { Workload } from './synthetic.ts';

/** A pod of a trace with the times at which it came and went. */
export interface TimedPod {
  readonly demand: PackingDemand;
  /** Seconds from the start of the trace; the end is Infinity for a pod that stayed. */
  readonly start: number;
  readonly end: number;
}

export interface RunOptions {
  readonly workload: Workload;
  readonly strategy: Strategy;
  readonly seed: number;
  /** How much is asked for in all, as a share of capacity; without effect where `timed` is given. */
  readonly ratio: number;
  /** Pods come and go when they did, instead of arriving in a random order and staying. */
  readonly timed?: readonly TimedPod[];
}

export interface RunResult {
  readonly strategy: string;
  readonly seed: number;
  readonly curve: readonly CurvePoint[];
  /** The most that was held at any time, in hundredths of capacity. */
  readonly peakPercent: number;
  readonly arrivals: number;
  readonly failures: number;
  /** At the end: free milli-GPU of each GPU of each node, in the common order. */
  readonly gpuFree: readonly (readonly number[])[];
  /** The same by slots and MIG instances, where the workload has any. */
  readonly slots?: readonly SlotRow[];
  readonly ms: number;
}

/** @param now ms of a clock that never goes back */
export function run({ workload, strategy, seed, ratio, timed }: RunOptions, now: () => number): RunResult {
  const { nodes, pods } = workload;
  const classes = taskClasses(pods);
  const capacityMilli = nodes.reduce((sum, { gpus }) => sum + gpus * 1000, 0);
  const events = timed ? timedEvents(timed) : arrivalEvents(arrivals(pods, { milliOf, capacityMilli, ratio, seed }));
  const average = covering(classes, AVERAGE_COVERAGE);
  const curve = new Curve<ReplayState>(({ nodes }) =>
    nodes.reduce((sum, node) => sum + expectedFragment(node, average), 0),
  );
  const started = now();
  const state = replay({ nodes, events, strategy, classes, observe: curve.observe });
  curve.finish(state);
  return {
    strategy: strategy.name,
    seed,
    curve: curve.points,
    peakPercent: (100 * state.peakMilli) / state.capacityMilli,
    arrivals: state.arrivals,
    failures: state.failures,
    gpuFree: state.nodes.map(({ gpuFree }) => [...gpuFree]),
    ms: now() - started,
  };
}

/** milli-GPU that a pod asks for. */
export function milliOf({ gpus, milli }: PackingDemand): number {
  return gpus * milli;
}

function arrivalEvents(order: readonly PackingDemand[]): TraceEvent[] {
  return order.map((demand, pod) => ({ kind: 'arrive', pod, demand }));
}

/** Events in order of time; a pod that leaves makes room before one that comes in the same second. */
function timedEvents(pods: readonly TimedPod[]): TraceEvent[] {
  const events = pods.flatMap(({ demand, start, end }, pod) => {
    const arrive = { at: start, order: 1, event: { kind: 'arrive', pod, demand } as const };
    return Number.isFinite(end) ? [arrive, { at: end, order: 0, event: { kind: 'depart', pod } as const }] : [arrive];
  });
  return events.sort((a, b) => a.at - b.at || a.order - b.order).map(({ event }) => event);
}

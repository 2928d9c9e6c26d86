/** Pods arrive one after the other at a fleet of nodes, and a strategy places them. Nothing is retried. */

import { type NodeSize, type PackingDemand, PackingNode } from '../scoring/packing-node.ts';
import { FleetLog, ScoreTable } from '../scoring/score-table.ts';
import type { TaskClass } from '../scoring/task-classes.ts';
import type { Strategy } from '../strategies/strategy.ts';
import type { ReplayFigures } from './curve.ts';

/** Something that happens: a pod comes, or one that came earlier goes. */
export type TraceEvent =
  | { readonly kind: 'arrive'; readonly pod: number; readonly demand: PackingDemand }
  | { readonly kind: 'depart'; readonly pod: number };

export interface ReplayOptions {
  /** In the common order of ties: of equals, the first is taken. */
  readonly nodes: readonly NodeSize[];
  /** Demands of one kind should be one object: they share a table of scores. */
  readonly events: Iterable<TraceEvent>;
  readonly strategy: Strategy;
  readonly classes: readonly TaskClass[];
  /** Called after each arrival, whether the pod was placed or not. */
  readonly observe?: (state: ReplayState) => void;
}

export interface ReplayState extends ReplayFigures {
  readonly nodes: readonly PackingNode[];
  /** The most that was held at any time. */
  readonly peakMilli: number;
  readonly arrivals: number;
}

interface Held {
  readonly node: number;
  readonly demand: PackingDemand;
  readonly gpus: readonly number[];
}

/** The state at the end. */
export function replay({ nodes: sizes, events, strategy, classes, observe }: ReplayOptions): ReplayState {
  const nodes = sizes.map((size) => new PackingNode(size));
  const fleet = new FleetLog(nodes);
  const scorer = strategy.scorer({ nodes: () => nodes, classes });
  const tables = new Map<PackingDemand, ScoreTable>();
  const held = new Map<number, Held>();
  const capacityMilli = nodes.reduce((sum, { totalMilli }) => sum + totalMilli, 0);
  const state = { nodes, capacityMilli, arrivedMilli: 0, heldMilli: 0, peakMilli: 0, arrivals: 0, failures: 0 };

  const arrive = (pod: number, demand: PackingDemand) => {
    let table = tables.get(demand);
    if (!table) {
      table = new ScoreTable(demand, scorer, fleet);
      tables.set(demand, table);
    }
    const milli = demand.gpus * demand.milli;
    state.arrivals += 1;
    state.arrivedMilli += milli;
    const best = table.best();
    const node = best && nodes[best.index];
    if (!node) {
      state.failures += 1;
      return;
    }
    held.set(pod, { node: best.index, demand, gpus: node.take(demand, best.gpu) });
    state.heldMilli += milli;
    state.peakMilli = Math.max(state.peakMilli, state.heldMilli);
    fleet.changed(best.index);
    scorer.placed();
  };

  for (const event of events) {
    if (event.kind === 'arrive') {
      arrive(event.pod, event.demand);
      observe?.(state);
      continue;
    }
    const leaving = held.get(event.pod);
    if (!leaving) continue;
    held.delete(event.pod);
    nodes[leaving.node]?.giveBack(leaving.demand, leaving.gpus);
    state.heldMilli -= leaving.demand.gpus * leaving.demand.milli;
    fleet.changed(leaving.node);
  }
  return state;
}

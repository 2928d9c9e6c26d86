/**
 * Changes of a few nodes, thought out together: node by node, every option on top of every set of changes so far that
 * is still promising. With few kinds of demand, sets that leave the same demand are one, and little is lost.
 */

import type { CandidateChange, CandidateChanges } from './candidate-changes.ts';
import type { CandidateNode } from './candidate-node.ts';
import { compareSums, compareValue, type SelectedChange, type Sum, take } from './selected-change.ts';

export interface Place {
  readonly site: CandidateNode;
  readonly options: CandidateChanges;
}

interface State extends Sum {
  readonly remaining: readonly number[];
  readonly last: { readonly place: Place; readonly option: CandidateChange; readonly before: State } | undefined;
  /** Class whose nodes it changes no more: those that stay as they are come last of their class. */
  readonly skips: CandidateChanges | undefined;
}

/**
 * @param places nodes of one class stand together
 * @param remaining pods that want room, by index of what was asked
 * @param weights and rank of one pod of each
 * @param width sets of changes that are kept at each node
 */
export function beam(
  places: readonly Place[],
  remaining: readonly number[],
  pods: readonly { readonly weight: number; readonly rank: number }[],
  ranks: number,
  width: number,
): SelectedChange[] {
  const start: State = {
    remaining,
    value: new Array<number>(ranks).fill(0),
    gpus: 0,
    nodes: 0,
    last: undefined,
    skips: undefined,
  };
  let states: State[] = [start];
  for (const [i, place] of places.entries()) {
    const byLeft = new Map<string, State>();
    const keep = (state: State) => {
      const key = `${state.remaining.join()} ${state.skips === place.options}`;
      const other = byLeft.get(key);
      if (!other || compareSums(state, other) > 0) byLeft.set(key, state);
    };
    for (const state of states) {
      keep({ ...state, skips: place.options });
      if (state.skips === place.options) continue;
      for (const option of place.options.for(state.remaining, true)) keep(after(state, place, option));
    }
    const rest = places.slice(i + 1);
    states = best([...byLeft.values()], rest, pods, width);
  }
  let final = start;
  for (const state of states) if (compareSums(state, final) > 0) final = state;
  const choices: SelectedChange[] = [];
  for (let { last } = final; last; last = last.before.last) {
    choices.unshift({ site: last.place.site, options: last.place.options, option: last.option });
  }
  return choices;
}

function after(state: State, place: Place, option: CandidateChange): State {
  const remaining = [...state.remaining];
  take(remaining, option);
  const value = state.value.map((sum, rank) => sum + (option.value[rank] ?? 0));
  const last = { place, option, before: state };
  return { remaining, value, gpus: state.gpus + option.gpus, nodes: state.nodes + 1, last, skips: undefined };
}

/** The most promising: by what they serve and what the nodes to come might serve besides. */
function best(
  states: State[],
  rest: readonly Place[],
  pods: readonly { readonly weight: number; readonly rank: number }[],
  width: number,
): State[] {
  if (states.length <= width) return states;
  const capacity = rest.reduce((sum, { site }) => sum + 1000 * site.gpus, 0);
  const most = pods.map((_, index) =>
    rest.reduce((sum, { options }) => sum + (options.nodeClass.most.get(index) ?? 0), 0),
  );
  const hopes = new Map<State, number[]>();
  for (const state of states) {
    const hope = [...state.value];
    let open = capacity;
    for (const [index, { weight, rank }] of pods.entries()) {
      const more = Math.min(open, weight * Math.min(state.remaining[index] ?? 0, most[index] ?? 0));
      hope[rank] = (hope[rank] ?? 0) + more;
      open -= more;
    }
    hopes.set(state, hope);
  }
  return states
    .sort((a, b) => compareValue(hopes.get(b) ?? [], hopes.get(a) ?? []) || a.gpus - b.gpus || compareSums(b, a))
    .slice(0, width);
}

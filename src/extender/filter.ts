/** filter: which of the nodes can take the pod, and why not the others. Changes nothing. */

import type { FilterResult } from '../api/extender.ts';
import type { FitCode } from '../core/fit.ts';
import type { Ledger, LedgerNode } from '../core/ledger.ts';
import type { EquivalenceClass, NodeRefusal } from '../core/scoring/equivalence-class.ts';

export interface Filtered extends FilterResult {
  readonly refused: readonly (readonly [name: string, refusal: NodeRefusal])[];
  /** Nodes refused, by reason. */
  readonly reasons: ReadonlyMap<FitCode, number>;
  /** Whether nodes that have room were left out, for the best of them. */
  readonly narrowed: boolean;
}

export interface FilterOptions {
  readonly ledger: Ledger;
  readonly table: EquivalenceClass;
  readonly names: readonly string[];
  /** The strategy's best node alone is enough: no other plugin has a say. */
  readonly narrow: boolean;
}

export function filter({ ledger, table, names, narrow }: FilterOptions): Filtered {
  const reasons = new Map<FitCode, number>();
  // kube-scheduler sends pods by the names of resources, a count of 0 included: any node will do.
  if (table.request.resources.length === 0) return { passed: names, refused: [], reasons, narrowed: false };
  const passed: LedgerNode[] = [];
  /** Served by DRA: they come after the nodes that we know. */
  const unjudged: string[] = [];
  const refused: [string, NodeRefusal][] = [];
  const nodes = ledger.findAll(names);
  // No iterator: this is the one loop over thousands of nodes that every pod waits for.
  for (let i = 0; i < nodes.length; i += 1) {
    const node = nodes[i];
    const refusal = table.refusalOf(node);
    if (refusal) {
      refused.push([names[i] ?? '', refusal]);
      reasons.set(refusal.code, (reasons.get(refusal.code) ?? 0) + 1);
    } else if (table.isUnjudged(node)) unjudged.push(names[i] ?? '');
    else if (node) passed.push(node);
  }
  const narrowed = narrow && passed.length > 0 && passed.length + unjudged.length > 1;
  if (passed.length === names.length && !narrowed) return { passed: names, refused, reasons, narrowed };
  const chosen = narrowed ? table.best(passed, 1) : passed;
  const known = chosen.map(({ name }) => name);
  return { passed: narrowed ? known : [...known, ...unjudged], refused, reasons, narrowed };
}

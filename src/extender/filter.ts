/** filter: which of the nodes can take the pod, and why not the others. Changes nothing. */

import type { FilterResult } from '../api/extender.ts';
import { type FitCode, fit } from '../core/fit.ts';
import type { Ledger } from '../core/ledger.ts';
import type { GpuRequest } from '../core/request.ts';

export interface Filtered {
  readonly result: FilterResult;
  /** Nodes refused, by reason. */
  readonly refused: ReadonlyMap<FitCode, number>;
}

export function filter(ledger: Ledger, request: GpuRequest, names: readonly string[]): Filtered {
  const passed: string[] = [];
  // Node names come from outside: no prototype that one of them could hit.
  const failed: Record<string, string> = Object.create(null);
  const unresolvable: Record<string, string> = Object.create(null);
  const refused = new Map<FitCode, number>();
  for (const name of names) {
    const verdict =
      request.resources.length === 0
        ? ({ fits: true } as const)
        : fit(ledger.load(name)?.inventory, (resource) => ledger.freeSlots(name, resource), request);
    if (verdict.fits) {
      passed.push(name);
      continue;
    }
    (verdict.resolvable ? failed : unresolvable)[name] = `${verdict.code}: ${verdict.message}`;
    refused.set(verdict.code, (refused.get(verdict.code) ?? 0) + 1);
  }
  const result = { NodeNames: passed, FailedNodes: failed, FailedAndUnresolvableNodes: unresolvable, Error: '' };
  return { result, refused };
}

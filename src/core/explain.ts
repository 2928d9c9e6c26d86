/** Why a request does not fit, GPU by GPU: for people, not for the hot path. */

import { type FitCode, fit } from './fit.ts';
import type { Ledger } from './ledger.ts';
import type { GpuRequest } from './request.ts';
import { slotsHeldPerGpu } from './savings.ts';

export interface GpuMisfit {
  readonly gpu: number;
  readonly resource: string;
  readonly code: FitCode;
  /** Figures behind the code. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** One entry for each GPU that does not serve the request, and each resource that it asks for; none if the node does. */
export function explainGpus(ledger: Ledger, node: string, request: GpuRequest): GpuMisfit[] {
  const inventory = ledger.load(node)?.inventory;
  if (!inventory) return [];
  return request.resources.flatMap((part) => {
    const alone = { ...request, resources: [part] };
    const verdict = fit(inventory, (resource) => ledger.freeSlots(node, resource), alone, {
      users: ledger.users(node),
    });
    if (verdict.fits) return [];
    const { resource } = part;
    const pool = inventory.pools.find((candidate) => candidate.resource === resource);
    const held = slotsHeldPerGpu(ledger, node, resource);
    return Array.from({ length: inventory.gpus }, (_, gpu) => {
      const slots = pool?.slotsPerGpu[gpu] ?? 0;
      // Too few slots on the node as a whole: each GPU says what it has.
      const own = { slots, held: held[gpu] ?? 0 };
      const numbers = verdict.code === 'InsufficientSlots' ? own : verdict.numbers;
      return { gpu, resource, code: verdict.code, numbers };
    });
  });
}

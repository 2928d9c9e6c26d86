import type { NodeInventory } from '#src/core/inventory.ts';
import { inventoryOf } from '#src/core/inventory.ts';
import { Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU } from '#src/core/resources.ts';
import { median, quantile, type Scenario } from '../scenario.ts';

const NODES = 5_000;
const PODS_PER_NODE = 10;
const ROUNDS = 2_000;
const RESOURCES = [{ resource: SHARED_GPU, count: 1 }];

export const ledgerClone: Scenario = {
  name: 'ledger-clone',
  question: 'What does a what-if cost: a clone of the ledger, and the first change on it?',
  method:
    `a ledger of ${NODES} nodes (8 GPUs by MPS ×8) and ${NODES * PODS_PER_NODE} pods; ${ROUNDS} clones, one after the other, of which each is ` +
    'changed once (a pod is placed on a node that nobody has touched), and once more on the same node; the ledger itself is changed ' +
    'once between two clones, which copies what it shares with the last one.',
  async run() {
    const ledger = filled();
    const times: Record<string, number[]> = { clone: [], first: [], second: [], original: [] };
    const timed = (what: string, work: () => void) => {
      const started = performance.now();
      work();
      times[what]?.push(1_000 * (performance.now() - started));
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      let copy = ledger;
      timed('clone', () => {
        copy = ledger.clone();
      });
      const node = nameOf((round * 37) % NODES);
      timed('first', () => place(copy, `first-${round}`, node));
      timed('second', () => place(copy, `second-${round}`, node));
      timed('original', () => place(ledger, `original-${round}`, nameOf((round * 53) % NODES)));
    }
    const row = (what: string, name: string) => {
      const all = times[name] ?? [];
      return [what, micros(median(all)), micros(quantile(all, 0.99)), micros(Math.max(...all))];
    };
    return {
      head: ['', 'p50', 'p99', 'longest'],
      rows: [
        row('clone', 'clone'),
        row('first change on a clone', 'first'),
        row('a further change of the same node', 'second'),
        row('first change of the original after a clone', 'original'),
      ],
    };
  },
};

function filled(): Ledger {
  const ledger = new Ledger();
  for (let n = 0; n < NODES; n += 1) ledger.setNode(inventory(nameOf(n)));
  for (let i = 0; i < PODS_PER_NODE; i += 1) {
    for (let n = 0; n < NODES; n += 1) place(ledger, `0123-4567-${n}-${i}`, nameOf(n));
  }
  return ledger;
}

function place(ledger: Ledger, uid: string, node: string): void {
  ledger.allocate({ uid, pod: `team/${uid}`, node, state: 'confirmed', resources: RESOURCES });
}

function nameOf(index: number): string {
  return `gpu-node-${String(index).padStart(5, '0')}`;
}

function inventory(name: string): NodeInventory {
  const made = inventoryOf({
    name,
    createdAt: 0,
    product: 'NVIDIA-A100-SXM4-80GB',
    gpus: 8,
    gpuMiB: 81_920,
    replicas: 8,
    sharing: 'mps',
    allocatable: new Map([[SHARED_GPU, 64]]),
    migMiB: new Map(),
  });
  if (!made) throw new Error('a node without GPUs');
  return made;
}

function micros(value: number): string {
  return `${value.toFixed(1)} µs`;
}

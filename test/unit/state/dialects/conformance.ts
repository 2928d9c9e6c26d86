/** What every dialect must do, with nodes that speak it. */

import fc from 'fast-check';
import tap from 'tap';
import { type StoredNode, storedNodeSchema } from '#src/api/stored-objects.ts';
import { MAX_GPUS_PER_NODE } from '#src/core/inventory.ts';
import { migProfileOf } from '#src/core/resources.ts';
import { REPLICA_MODES } from '#src/core/sharing-mode.ts';
import type { GpuReading, NodeDialect } from '#src/state/dialects/dialect.ts';

export interface DialectExample {
  /** What the node is, in a few words. */
  readonly says: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** What it tells; what is left out is unknown. */
  readonly reading: Partial<GpuReading>;
}

export function nodeWith(labels: Readonly<Record<string, string>>, annotations = {}): StoredNode {
  return storedNodeSchema.parse({ metadata: { name: 'n', labels, annotations } });
}

const UNKNOWN: GpuReading = {
  product: '',
  gpus: undefined,
  gpuMiB: undefined,
  replicas: 1,
  sharing: undefined,
  migMiB: new Map(),
  migCounts: {},
  migReplicas: new Map(),
  instance: undefined,
  noMig: false,
  changeable: false,
  unsized: undefined,
};

/** Runs the suite: each further dialect passes it, with examples of its own. */
export function conformance(dialect: NodeDialect, examples: readonly DialectExample[]): void {
  const { name } = dialect;
  for (const { says, labels, annotations, reading } of examples) {
    tap.test(`${name}: ${says}`, async (t) => {
      t.strictSame(dialect.read(nodeWith(labels, annotations)), { ...UNKNOWN, ...reading });
    });
  }

  tap.test(`${name}: a node that does not speak it has no reading`, async (t) => {
    const others = { 'kubernetes.io/hostname': 'n', 'example.com/gpu': '8', 'beta.kubernetes.io/arch': 'amd64' };
    t.equal(dialect.read(nodeWith(others)), undefined);
    t.equal(dialect.read(nodeWith({})), undefined);
  });

  tap.test(`${name}: whatever its labels say, nothing is thrown, guessed or sized without bound`, async () => {
    const keys = [...new Set(examples.flatMap(({ labels }) => Object.keys(labels)))];
    const values = examples.flatMap(({ labels }) => Object.values(labels));
    const text = fc.oneof(
      fc.constantFrom(...values, '', '0', '-1', '1e9', '99999999999999999999', 'none'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), text), (labels) => {
        const reading = dialect.read(nodeWith(labels));
        if (!reading) return;
        const { product, gpus, gpuMiB, replicas, sharing, migMiB, migCounts, migReplicas } = reading;
        must(!/-SHARED$|-MIG-/.test(product), 'the product is without what a device plugin adds');
        must(gpus === undefined || (Number.isInteger(gpus) && gpus >= 1 && gpus <= MAX_GPUS_PER_NODE), 'GPUs');
        must(gpuMiB === undefined || (Number.isInteger(gpuMiB) && gpuMiB > 0), 'memory');
        must(Number.isInteger(replicas) && replicas >= 1 && replicas <= 1_000, 'replicas');
        must(sharing === undefined || REPLICA_MODES.includes(sharing), 'sharing');
        for (const count of migReplicas.values()) must(count >= 2 && count <= 1_000, 'slots of an instance');
        for (const resource of [...migMiB.keys(), ...migReplicas.keys(), ...Object.keys(migCounts)]) {
          must(migProfileOf(resource) !== undefined, 'instances go by the names of resources');
        }
      }),
      { numRuns: 300 },
    );
  });
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}

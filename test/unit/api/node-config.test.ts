/** GPUNodeConfig's layouts: what is refused without the GPU at hand must be what no GPU can hold. */

import tap from 'tap';
import { nodeConfigSpec } from '#src/api/node-config.ts';
import { gpuModelOf, type MigClass, migProfiles } from '#src/core/gpu-catalog.ts';
import { EMPTY, MigGeometry, type Multiset } from '#src/core/mig/geometry.ts';

const taken = (profiles: readonly string[]) =>
  nodeConfigSpec.safeParse({ nodeName: 'gpu-1', migEnabled: true, migProfiles: profiles }).success;

const GPUS: readonly [label: string, gib: number][] = [
  ['NVIDIA-A100-SXM4-40GB', 40],
  ['NVIDIA-H200', 141],
  ['NVIDIA-B200', 180],
  ['NVIDIA-A30', 24],
  ['NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition', 96],
];

/** All multisets of so many kinds with at most `most` members. */
function* multisets(kinds: number, most: number): Generator<number[]> {
  if (kinds === 0) yield [];
  else for (let n = 0; n <= most; n += 1) for (const rest of multisets(kinds - 1, most - n)) yield [n, ...rest];
}

function namesOf(names: readonly string[], multiset: Multiset): string[] {
  return multiset.flatMap((n, kind) => new Array<string>(n).fill(names[kind] ?? ''));
}

function migClass(label: string): MigClass {
  const found = gpuModelOf(label)?.migClass;
  if (!found) throw new Error(`${label} has no MIG`);
  return found;
}

for (const [label, gib] of GPUS) {
  tap.test(`every layout that ${label} can hold is taken`, async (t) => {
    const geometry = new MigGeometry(migClass(label));
    const names = migProfiles(geometry.migClass, gib);
    const fitting = [...multisets(names.length, 7)].filter((multiset) => geometry.canHost(EMPTY, multiset));
    t.ok(fitting.length > 5, `${fitting.length} layouts`);
    t.strictSame(
      fitting.filter((multiset) => !taken(namesOf(names, multiset))),
      [],
    );
  });
}

tap.test('of the plain profiles of a GPU with seven slices, what it cannot hold is refused', async (t) => {
  const all = migClass('NVIDIA-A100-SXM4-40GB');
  // Double memory does not show in a name: 1g.10gb is a plain profile of a larger GPU.
  const plain = all.instances.filter(({ compute, memory, me }) => !me && !(compute === 1 && memory === 2));
  const geometry = new MigGeometry({ ...all, instances: plain });
  const names = migProfiles(geometry.migClass, 40);
  const differing = [...multisets(names.length, 8)].filter(
    (multiset) => taken(namesOf(names, multiset)) !== geometry.canHost(EMPTY, multiset),
  );
  t.strictSame(
    differing.map((multiset) => namesOf(names, multiset)),
    [],
  );
});

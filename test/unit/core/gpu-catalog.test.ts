/** What is known of products, against the tables of NVIDIA's MIG user guide. */

import tap from 'tap';
import {
  allMigProfiles,
  gpuModelOf,
  gpusWithInstances,
  migClassOf,
  migProfiles,
  profileOfProduct,
} from '#src/core/gpu-catalog.ts';
import { parseMigProfile } from '#src/core/mig/profile.ts';

/** Profile names of a product label at a size in GiB. */
function namesOf(product: string, gib: number): string[] {
  const migClass = migClassOf(product);
  return migClass ? migProfiles(migClass, gib) : [];
}

tap.test('profile names follow from the memory of the GPU', async (t) => {
  /** Memory in the name of 1g, 1g with double memory, 2g, 3g, 4g and 7g. */
  const table: readonly [product: string, gib: number, names: readonly number[]][] = [
    ['NVIDIA-A100-SXM4-40GB', 40, [5, 10, 10, 20, 20, 40]],
    ['NVIDIA-A100-80GB-PCIe', 80, [10, 20, 20, 40, 40, 80]],
    ['NVIDIA-H100-80GB-HBM3', 80, [10, 20, 20, 40, 40, 80]],
    ['NVIDIA-H100-NVL', 94, [12, 24, 24, 47, 47, 94]],
    ['NVIDIA-GH200-480GB', 96, [12, 24, 24, 48, 48, 96]],
    ['NVIDIA-H20', 96, [12, 24, 24, 48, 48, 96]],
    ['NVIDIA-H200', 141, [18, 35, 35, 71, 71, 141]],
    ['NVIDIA-B200', 180, [23, 45, 45, 90, 90, 180]],
    ['NVIDIA-A800-SXM4-80GB', 80, [10, 20, 20, 40, 40, 80]],
    ['NVIDIA-H800', 80, [10, 20, 20, 40, 40, 80]],
    ['NVIDIA-GH200-144G-HBM3e', 144, [18, 36, 36, 72, 72, 144]],
    ['NVIDIA-GB200', 186, [23, 47, 47, 93, 93, 186]],
    ['NVIDIA-B300-SXM6-AC', 269, [34, 67, 67, 135, 135, 269]],
    ['NVIDIA-GB300', 278, [35, 70, 70, 139, 139, 278]],
  ];
  for (const [product, gib, [one, double, two, three, four, seven]] of table) {
    t.strictSame(
      namesOf(product, gib),
      [
        `1g.${one}gb`,
        `1g.${one}gb+me`,
        `1g.${double}gb`,
        `2g.${two}gb`,
        `3g.${three}gb`,
        `4g.${four}gb`,
        `7g.${seven}gb`,
      ],
      `${product}, ${gib} GiB`,
    );
  }
});

tap.test('GPUs of four slices have their own profiles', async (t) => {
  t.strictSame(namesOf('NVIDIA-A30', 24), ['1g.6gb', '1g.6gb+me', '2g.12gb', '2g.12gb+me', '4g.24gb']);
  t.strictSame(namesOf('NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition', 96), ['1g.24gb', '2g.48gb', '4g.96gb']);
});

tap.test('a product label tells the MIG class, whatever stands around the name', async (t) => {
  const cases: readonly [product: string, slices: readonly [compute: number, memory: number] | undefined][] = [
    ['A100-SXM4-40GB', [7, 8]],
    ['NVIDIA-A100-SXM4-40GB-SHARED', [7, 8]],
    ['NVIDIA-A100-SXM4-40GB-MIG-1g.5gb', [7, 8]],
    ['NVIDIA-H200-NVL', [7, 8]],
    ['NVIDIA-GB200', [7, 8]],
    ['NVIDIA-A30', [4, 4]],
    ['NVIDIA-RTX-PRO-6000-Blackwell-Workstation-Edition', [4, 4]],
    ['Tesla-T4', undefined],
    ['Tesla-V100-SXM2-16GB', undefined],
    ['NVIDIA-A10', undefined],
    ['NVIDIA-A1000', undefined],
    ['GRID-A100-10C', undefined],
    ['NVIDIA-RTX-PRO-5000-Blackwell', [2, 2]],
    ['NVIDIA-RTX-PRO-4500-Blackwell', [2, 2]],
    ['NVIDIA-A300', undefined],
    ['NVIDIA-L40S', undefined],
    ['NVIDIA-RTX-6000-Ada-Generation', undefined],
    ['NVIDIA-H2000', undefined],
    ['', undefined],
  ];
  for (const [product, slices] of cases) {
    const migClass = migClassOf(product);
    t.strictSame(migClass && [migClass.computeSlices, migClass.memorySlices], slices, product || 'no label');
  }
});

tap.test('the list of all profiles holds each name once, each one readable', async (t) => {
  const names = allMigProfiles();
  t.equal(new Set(names).size, names.length);
  t.strictSame(names, names.toSorted());
  for (const name of names) t.equal(parseMigProfile(name)?.name, name);
  const specified = [
    '1g.5gb',
    '2g.10gb',
    '3g.20gb',
    '4g.20gb',
    '7g.40gb',
    '1g.10gb',
    '2g.20gb',
    '3g.40gb',
    '4g.40gb',
    '7g.80gb',
  ];
  for (const name of specified) t.ok(names.includes(name), `${name}, named by the specification`);
  const met = ['1g.47gb', '3g.93gb', '7g.186gb', '1g.36gb', '7g.144gb', '1g.34gb', '7g.269gb', '7g.278gb'];
  const attributed = ['1g.24gb+gfx', '1g.24gb+me.all', '1g.24gb-me', '2g.48gb+gfx', '4g.96gb'];
  for (const name of [...met, ...attributed]) t.ok(names.includes(name), name);
});

tap.test('a product label tells memory and compute capability', async (t) => {
  const cases: readonly [label: string, gib: number, compute: readonly [number, number], mig: boolean][] = [
    ['NVIDIA-A100-SXM4-40GB', 40, [8, 0], true],
    ['NVIDIA-A100-SXM4-80GB', 80, [8, 0], true],
    ['NVIDIA-A100-SXM4-80GB-SHARED', 80, [8, 0], true],
    ['NVIDIA-A100-SXM4-80GB-MIG-1g.10gb', 80, [8, 0], true],
    ['NVIDIA-H100-80GB-HBM3', 80, [9, 0], true],
    ['NVIDIA-GH200-480GB', 96, [9, 0], true],
    ['NVIDIA-A30', 24, [8, 0], true],
    ['Tesla-T4', 16, [7, 5], false],
    ['Tesla-V100-SXM2-32GB', 32, [7, 0], false],
    ['Tesla-V100-SXM2-16GB', 16, [7, 0], false],
    ['NVIDIA-L40S', 48, [8, 9], false],
    ['NVIDIA-A10G', 24, [8, 6], false],
  ];
  for (const [label, gib, compute, mig] of cases) {
    const model = gpuModelOf(label);
    t.match(model, { memoryMiB: gib * 1_024, compute }, label);
    t.equal(model?.migClass !== undefined, mig, label);
  }
  for (const label of ['', 'NVIDIA-Of-Tomorrow', 'A1000', 'T40', 'Tesla-K80'])
    t.equal(gpuModelOf(label), undefined, label);
});

tap.test(
  'under the strategy `single` the product tells the profile, and the profile how many GPUs there are',
  async (t) => {
    t.equal(profileOfProduct('NVIDIA-A100-SXM4-40GB'), undefined);
    t.equal(profileOfProduct('NVIDIA-A100-SXM4-40GB-SHARED'), undefined);
    t.match(profileOfProduct('NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED'), { name: '1g.5gb' });
    t.equal(profileOfProduct('NVIDIA-A100-SXM4-40GB-MIG-INVALID'), 'unknown');
    const cases: readonly [
      product: string,
      profile: string,
      instances: number,
      gpus: number,
      gib: number | undefined,
    ][] = [
      ['NVIDIA-A100-SXM4-40GB', '1g.5gb', 14, 2, 40],
      ['NVIDIA-A100-SXM4-40GB', '1g.5gb', 13, 2, 40],
      ['NVIDIA-A100-SXM4-40GB', '1g.10gb', 8, 2, 40],
      ['NVIDIA-A100-SXM4-80GB', '2g.20gb', 6, 2, 80],
      ['NVIDIA-A100-SXM4-80GB', '3g.40gb', 6, 3, 80],
      ['NVIDIA-H100-NVL', '7g.94gb', 2, 2, 94],
      ['NVIDIA-A30', '1g.6gb', 8, 2, 24],
      ['NVIDIA-A30', '1g.6gb+me', 2, 2, 24],
      ['NVIDIA-Of-Tomorrow', '3g.99gb', 6, 3, undefined],
    ];
    for (const [product, name, instances, gpus, gib] of cases) {
      const profile = parseMigProfile(name);
      if (!profile) throw new Error(name);
      const expected = { gpus, gpuMiB: gib && gib * 1_024 };
      t.strictSame(gpusWithInstances(product, profile, instances), expected, `${instances} × ${name} of ${product}`);
    }
  },
);

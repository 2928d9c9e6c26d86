/** Names of the extended resources of NVIDIA's device plugin. */

import fc from 'fast-check';
import tap from 'tap';
import { allMigProfiles } from '#src/core/gpu-catalog.ts';
import { isGpuResource, migProfileOf, migResource, unsharedName } from '#src/core/resources.ts';

tap.test('a profile has one resource: its name, with a dot for the plus', async (t) => {
  t.equal(migResource('1g.5gb'), 'nvidia.com/mig-1g.5gb');
  t.equal(migResource('1g.5gb+me'), 'nvidia.com/mig-1g.5gb.me');
  t.equal(migResource('1g.24gb+me.all'), 'nvidia.com/mig-1g.24gb.me.all');
  t.equal(migResource('1g.24gb-me'), 'nvidia.com/mig-1g.24gb-me');
  t.equal(migProfileOf('nvidia.com/mig-1g.5gb.shared')?.name, '1g.5gb', 'shared and renamed');
});

tap.test('the profile of every known product comes back from its resource', async (t) => {
  for (const name of allMigProfiles()) t.equal(migProfileOf(migResource(name))?.name, name);
});

tap.test('a resource stands for a GPU or a part of one, or it does not', async (t) => {
  const gpu = ['nvidia.com/gpu', 'nvidia.com/gpu.shared', 'nvidia.com/mig-1g.5gb', 'nvidia.com/mig-1g.5gb.me'];
  const other = [
    'cpu',
    'memory',
    'nvidia.com/gpus',
    'nvidia.com/gpu.count',
    'nvidia.com/GPU',
    'amd.com/gpu',
    'example.com/nvidia.com/gpu',
    'requests.nvidia.com/gpu',
    'nvidia.com/mig-',
    'nvidia.com/mig-1g',
    'nvidia.com/mig-1g.5gb.memory',
    'nvidia.com/mig.config',
    '__proto__',
    '',
  ];
  for (const resource of gpu) t.equal(isGpuResource(resource), true, resource);
  for (const resource of other) t.equal(isGpuResource(resource), false, resource);
  t.equal(migProfileOf('nvidia.com/gpu'), undefined, 'a whole GPU is no profile');
});

tap.test('a profile has no second resource name', async (t) => {
  t.equal(migProfileOf('nvidia.com/mig-1g.5gb+me'), undefined, 'a plus cannot stand in a resource name');
  const name = fc.string({ unit: fc.constantFrom(...'127g.5b+m', 'gb', 'me', '.me', '+me'), maxLength: 8 });
  fc.assert(
    fc.property(
      fc.oneof(
        name,
        name.map((rest) => `1g.5gb${rest}`),
      ),
      (rest) => {
        const resource = `nvidia.com/mig-${rest}`;
        const profile = migProfileOf(resource);
        return profile === undefined || migResource(profile.name) === unsharedName(resource);
      },
    ),
    { numRuns: 1_000 },
  );
});

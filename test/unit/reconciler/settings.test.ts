/** The configuration as the reconciler uses it. */

import tap from 'tap';
import { configurationSchema } from '#src/api/configuration.ts';
import { reconcilerSettingsOf } from '#src/reconciler/settings.ts';

const settingsOf = (reconciler: object, speed?: number) =>
  reconcilerSettingsOf(configurationSchema.parse({ reconciler }), speed);

tap.test('the defaults', async (t) => {
  const { most: _, ...settings } = settingsOf({});
  t.strictSame(settings, {
    enabled: true,
    namespace: 'gpu-operator',
    configMaps: { plugin: 'gpu-autoscaler-device-plugin', mig: 'gpu-autoscaler-mig-parted' },
    defaultProfile: configurationSchema.parse({}).sharing.mig.defaultProfile,
    times: {
      settle: 6_000,
      propagation: 90_000,
      pluginDeadline: 180_000,
      migDeadline: 600_000,
      retry: 900_000,
      evict: 5_000,
    },
  });
});

tap.test('so many nodes at the same time: a number, or a share of the nodes and at least one', async (t) => {
  const cases: readonly [maxInTransition: number | string, nodes: number, most: number][] = [
    [3, 1, 3],
    ['10%', 0, 1],
    ['10%', 9, 1],
    ['10%', 29, 2],
    ['100%', 29, 29],
  ];
  for (const [maxInTransition, nodes, most] of cases)
    t.equal(settingsOf({ maxInTransition }).most(nodes), most, `${maxInTransition} of ${nodes}`);
});

tap.test('on nodes whose clock is faster, all times are shorter', async (t) => {
  const { times } = settingsOf({ propagation: '10s' }, 10);
  t.match(times, { settle: 600, propagation: 1_000, migDeadline: 60_000, evict: 500 });
});

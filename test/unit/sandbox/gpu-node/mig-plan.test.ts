/** What mig-parted would do to GPUs. */

import tap from 'tap';
import { type Gpu, newGpus } from '#src/sandbox/gpu-node/hardware.ts';
import { parseMigConfigs } from '#src/sandbox/gpu-node/mig-parted-config.ts';
import { applyMig, isDone, planMig } from '#src/sandbox/gpu-node/mig-plan.ts';

const A100 = { product: 'NVIDIA-A100-SXM4-40GB', memoryMiB: 40_960 };
const SEVEN = { devices: 'all', migEnabled: true, layout: { '1g.5gb': 7 } } as const;
const MIXED = { devices: [1], migEnabled: true, layout: { '3g.20gb': 2 } } as const;

const uuid = () => 'MIG';
function after(gpus: readonly Gpu[], ...entries: Parameters<typeof planMig>[2]): Gpu[] {
  const plan = planMig(gpus, A100, entries);
  if (!plan.ok) throw new Error(plan.reason);
  return applyMig(gpus, plan.value, uuid);
}
const changes = (gpus: readonly Gpu[], ...entries: Parameters<typeof planMig>[2]) => {
  const plan = planMig(gpus, A100, entries);
  return plan.ok ? [[...plan.value.modes], [...plan.value.cuts.keys()]] : plan.reason;
};

tap.test('from the factory: modes are switched on and every GPU is cut', async (t) => {
  t.same(changes(newGpus('n', 2), SEVEN), [
    [0, 1],
    [0, 1],
  ]);
  t.match(after(newGpus('n', 2), SEVEN), [
    { migEnabled: true, instances: { length: 7 } },
    { instances: { length: 7 } },
  ]);
});

tap.test('what is so already is left alone', async (t) => {
  const plan = planMig(after(newGpus('n', 2), SEVEN), A100, [SEVEN]);
  t.ok(plan.ok && isDone(plan.value));
});

tap.test('without a change of mode only GPUs that differ are cut', async (t) => {
  const zero = { ...SEVEN, devices: [0] };
  t.same(changes(after(newGpus('n', 2), SEVEN), zero, MIXED), [[], [1]]);
});

tap.test('with a change of mode anywhere, every GPU that is named is cleared', async (t) => {
  const half = after(newGpus('n', 2), { ...SEVEN, devices: [0] });
  t.same(changes(half, SEVEN), [[1], [0, 1]]);
});

tap.test('GPUs that are not named stay as they are', async (t) => {
  const [first] = after(after(newGpus('n', 2), SEVEN), MIXED);
  t.equal(first?.instances.length, 7);
});

tap.test('what no GPU holds, and GPUs that are not there, fail', async (t) => {
  t.match(changes(newGpus('n', 1), { ...SEVEN, layout: { '1g.5gb': 8 } }), /no GPU holds/);
  t.match(changes(newGpus('n', 1), { ...SEVEN, layout: { '1g.10gb': 1, '9g.90gb': 1 } }), /no GPU holds/);
  t.match(changes(newGpus('n', 1), MIXED), /there is no GPU 1/);
});

const CONFIGS: readonly [what: string, text: string, ok: boolean, why?: RegExp][] = [
  [
    'as the stock ConfigMap has it',
    'version: v1\nmig-configs: {all-disabled: [{devices: all, mig-enabled: false}]}',
    true,
  ],
  [
    'an unknown field',
    'version: v1\nmig-configs: {a: [{devices: all, mig-enabled: true, mig-devices: {}, extra: 1}]}',
    false,
    /extra/,
  ],
  [
    'no mig-devices though enabled',
    'version: v1\nmig-configs: {a: [{devices: all, mig-enabled: true}]}',
    false,
    /mig-devices/,
  ],
  [
    'empty mig-devices will do',
    'version: v1\nmig-configs: {a: [{devices: all, mig-enabled: true, mig-devices: {}}]}',
    true,
  ],
  ['no version', 'mig-configs: {}', false, /unknown version/],
];
for (const [what, text, ok, why] of CONFIGS) {
  tap.test(`mig-parted's configuration: ${what}`, async (t) => {
    const parsed = parseMigConfigs(text);
    t.equal(parsed.ok, ok);
    if (why) t.match(parsed, { reason: why });
  });
}

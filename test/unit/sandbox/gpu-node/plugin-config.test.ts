/** What the emulated device plugin takes, warns of and refuses: as NVIDIA's does. */

import tap from 'tap';
import { parsePluginConfig } from '#src/sandbox/gpu-node/plugin-config.ts';

const A100 = 'NVIDIA-A100-SXM4-40GB';
const sharing = (kind: string, replicas: number, more = '') =>
  `version: v1\nsharing: {${kind}: {renameByDefault: true, resources: [{name: nvidia.com/gpu, replicas: ${replicas}${more}}]}}\n`;

tap.test('nothing but a version: GPUs as they are', async (t) => {
  const parsed = parsePluginConfig('version: v1', A100);
  t.match(parsed, { ok: true, value: { migStrategy: 'none', allocationPolicy: 'distributed', warnings: [] } });
  t.equal(parsed.ok && parsed.value.sharing, undefined);
});

tap.test('of time-slicing and MPS together MPS wins without a word', async (t) => {
  const text = `version: v1
sharing:
  timeSlicing: {resources: [{name: nvidia.com/gpu, replicas: 4}]}
  mps: {resources: [{name: nvidia.com/gpu, replicas: 8}]}
`;
  const parsed = parsePluginConfig(text, A100);
  t.match(parsed, { ok: true, value: { sharing: { mode: 'mps', failRequestsGreaterThanOne: true }, warnings: [] } });
});

tap.test('devices and renames of one’s own are warned of, and do nothing', async (t) => {
  const parsed = parsePluginConfig(sharing('timeSlicing', 4, ', devices: ["0"], rename: mine'), A100);
  t.match(parsed, { ok: true, value: { warnings: [/devices field is not yet supported/, /rename field/] } });
});

const REFUSED: readonly [what: string, text: string, product: string, why: RegExp][] = [
  ['no version', 'sharing: {}', A100, /unknown version/],
  ['one replica', sharing('timeSlicing', 1), A100, /number of replicas must be >= 2/],
  [
    'MPS with strategy mixed',
    `${sharing('mps', 2)}flags: {migStrategy: mixed}\n`,
    A100,
    /mixed is not supported with MPS/,
  ],
  ['more clients than MPS takes', sharing('mps', 49), A100, /49 replicas, at most 48/],
  ['more clients than MPS took before Turing', sharing('mps', 17), 'Tesla-V100-SXM2-16GB', /17 replicas, at most 16/],
  [
    'MPS of MIG instances',
    sharing('mps', 2).replace('nvidia.com/gpu', 'nvidia.com/mig-1g.5gb'),
    A100,
    /cannot be shared by MPS/,
  ],
  ['no YAML', 'a: [1', A100, /./],
];
for (const [what, text, product, why] of REFUSED) {
  tap.test(`refused: ${what}`, async (t) => {
    const parsed = parsePluginConfig(text, product);
    t.notOk(parsed.ok);
    t.match(parsed, { reason: why });
  });
}

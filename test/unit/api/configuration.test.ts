/** What the configuration file may say, and what admission makes of it. */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import tap from 'tap';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema, milliseconds } from '#src/api/configuration.ts';
import { parseConfiguration } from '#src/api/configuration-file.ts';
import { parseSharingPolicy } from '#src/api/sharing-policy.ts';

const DEFAULTS = configurationSchema.parse({});
const admission = (values: unknown) => admissionConfigurationOf(configurationSchema.parse(values), 'system', 'ours');

/** The specification's blocks, as printed. */
const PRINTED: readonly [what: string, text: string, says: object][] = [
  [
    'bin-packing',
    `# values.yaml
binPacking:
  enabled: true
  strategy: bestfit
  analysisInterval: 5m
  autoConsolidate: false  # Manual approval for safety
`,
    { binPacking: { enabled: true, strategy: 'bestfit', analysisInterval: '5m', autoConsolidate: false } },
  ],
  [
    'MIG',
    `# values.yaml
sharing:
  mig:
    enabled: true
    autoConfig: true
    defaultProfile: "1g.5gb"
    nodeSelector:
      nvidia.com/mig.capable: "true"

admissionWebhook:
  optimization:
    enableMIG: true
`,
    {
      sharing: {
        mig: {
          enabled: true,
          autoConfig: true,
          defaultProfile: '1g.5gb',
          nodeSelector: { 'nvidia.com/mig.capable': 'true' },
        },
      },
      admissionWebhook: { optimization: { enableMIG: true } },
    },
  ],
  [
    'MPS',
    `# values.yaml
sharing:
  mps:
    enabled: true
    maxClients: 16
    defaultActiveThreads: 100
    resources:
      memoryLimitMB: 2048
    nodeSelector:
      nvidia.com/mps.capable: "true"

admissionWebhook:
  optimization:
    enableMPS: true
`,
    {
      sharing: {
        mps: {
          enabled: true,
          maxClients: 16,
          defaultActiveThreads: 100,
          resources: { memoryLimitMB: 2_048 },
          nodeSelector: { 'nvidia.com/mps.capable': 'true' },
        },
      },
      admissionWebhook: { optimization: { enableMPS: true } },
    },
  ],
  [
    'time-slicing',
    `# values.yaml
sharing:
  timeSlicing:
    enabled: true
    replicasPerGPU: 4
    sliceMs: 100
    fairnessMode: roundrobin
    oversubscribe: false

admissionWebhook:
  optimization:
    enableTimeSlicing: true
`,
    {
      sharing: {
        timeSlicing: {
          enabled: true,
          replicasPerGPU: 4,
          sliceMs: 100,
          fairnessMode: 'roundrobin',
          oversubscribe: false,
        },
      },
      admissionWebhook: { optimization: { enableTimeSlicing: true } },
    },
  ],
  [
    'the admission webhook',
    `# values.yaml
admissionWebhook:
  enabled: true
  rewriteRequests: true
  failurePolicy: Ignore  # Fail open for safety

  optimization:
    enableMIG: true
    enableMPS: true
    enableTimeSlicing: true
    autoDetectWorkloadType: true

  exemptNamespaces:
    - kube-system
    - production  # Add namespaces to skip optimization
`,
    {
      admissionWebhook: {
        enabled: true,
        rewriteRequests: true,
        failurePolicy: 'Ignore',
        optimization: { enableMIG: true, enableMPS: true, enableTimeSlicing: true, autoDetectWorkloadType: true },
        exemptNamespaces: ['kube-system', 'production'],
      },
    },
  ],
];
for (const [what, text, says] of PRINTED) {
  tap.test(`the specification's values.yaml of ${what}, as printed`, async (t) => {
    const parsed = parseConfiguration(text, 'values.yaml');
    t.match(parsed, { ok: true, configuration: says });
  });
}

tap.test("the chart's own values.yaml is a configuration, and says the defaults", async (t) => {
  const file = join(resolve(import.meta.dirname, '../../..'), 'charts/gpu-autoscaler/values.yaml');
  const parsed = parseConfiguration(readFileSync(file, 'utf8'), 'values.yaml');
  if (!parsed.ok) return t.fail(parsed.faults.join('\n'));
  const { sharing, binPacking, admissionWebhook } = parsed.configuration;
  t.strictSame(sharing, { ...DEFAULTS.sharing, mig: { ...DEFAULTS.sharing.mig, defaultProfile: '1g.5gb' } });
  t.match(binPacking, DEFAULTS.binPacking);
  t.match(admissionWebhook, DEFAULTS.admissionWebhook);
});

/** What is too little, the least, the most, and too much. */
const bounds: readonly [key: string, nest: (value: unknown) => unknown, ...bounds: number[]][] = [
  ['sharing.mps.maxClients', (maxClients) => ({ sharing: { mps: { maxClients } } }), 1, 2, 48, 49],
  [
    'sharing.mps.defaultActiveThreads',
    (defaultActiveThreads) => ({ sharing: { mps: { defaultActiveThreads, maxClients: 2 } } }),
    0,
    1,
    50,
    51,
  ],
  [
    'sharing.mps.resources.memoryLimitMB',
    (memoryLimitMB) => ({ sharing: { mps: { resources: { memoryLimitMB }, maxClients: 2 } } }),
    0,
    1,
    142_336,
    142_337,
  ],
  [
    'sharing.timeSlicing.replicasPerGPU',
    (replicasPerGPU) => ({ sharing: { timeSlicing: { replicasPerGPU } } }),
    1,
    2,
    100,
    101,
  ],
  ['sharing.timeSlicing.sliceMs', (sliceMs) => ({ sharing: { timeSlicing: { sliceMs } } }), 0, 1, 10_000, 10_001],
  ['admissionWebhook.timeoutSeconds', (timeoutSeconds) => ({ admissionWebhook: { timeoutSeconds } }), 0, 1, 30, 31],
];
for (const [key, nest, ...figures] of bounds) {
  tap.test(`bounds of ${key}`, async (t) => {
    const accepted = figures.map((figure) => configurationSchema.safeParse(nest(figure)).success);
    t.strictSame(accepted, [false, true, true, false]);
    for (const odd of [2.5, '2', null, Number.NaN, true]) t.notOk(configurationSchema.safeParse(nest(odd)).success);
  });
}

/** Policy and configuration agree: the same figures pass or fall in both. */
const FIGURES: readonly (readonly [strategy: string, policy: object, sharing: object])[] = [
  ...[1, 2, 48, 49].map((maxClients) => ['mps', { mpsConfig: { maxClients } }, { mps: { maxClients } }] as const),
  ...[0, 6, 7, 99, 100, 101].map(
    (defaultActiveThreads) =>
      ['mps', { mpsConfig: { defaultActiveThreads } }, { mps: { defaultActiveThreads } }] as const,
  ),
  ...[0, 1, 11_520, 11_521, 284_673].map(
    (memoryLimitMB) => ['mps', { mpsConfig: { memoryLimitMB } }, { mps: { resources: { memoryLimitMB } } }] as const,
  ),
  ...[1, 2, 100, 101].map(
    (replicasPerGPU) =>
      ['timeslicing', { timeSlicingConfig: { replicasPerGPU } }, { timeSlicing: { replicasPerGPU } }] as const,
  ),
  ...['roundrobin', 'priority', 'weighted', 'fair'].map(
    (fairnessMode) =>
      ['timeslicing', { timeSlicingConfig: { fairnessMode } }, { timeSlicing: { fairnessMode } }] as const,
  ),
  ...['1g.5gb', '1g.5gb+me', '7g.80gb', '5g.20gb', '1g.5', '1G.5GB', ''].map(
    (profile) => ['mig', { migConfig: { profile } }, { mig: { defaultProfile: profile } }] as const,
  ),
];
for (const [strategy, spec, sharing] of FIGURES) {
  tap.test(`policy and configuration agree on ${JSON.stringify(sharing)}`, async (t) => {
    const policy = parseSharingPolicy({ metadata: { name: 'p' }, spec: { strategy, ...spec } });
    t.equal(configurationSchema.safeParse({ sharing }).success, policy.ok);
  });
}

tap.test('times', async (t) => {
  t.equal(milliseconds('90s'), 90_000);
  t.equal(milliseconds('5m'), 300_000);
  t.equal(milliseconds('1h'), 3_600_000);
  for (const time of ['5', '5 m', '0s', '05m', '1d', 'm', '-5m', '5M', '1.5h', 5]) {
    t.notOk(configurationSchema.safeParse({ binPacking: { analysisInterval: time } }).success, String(time));
  }
});

tap.test('Prometheus is found by http or https', async (t) => {
  const accepted = (prometheusUrl: unknown) =>
    configurationSchema.safeParse({ admissionWebhook: { history: { prometheusUrl } } }).success;
  t.ok(accepted('http://prometheus.monitoring:9090'));
  t.ok(accepted('https://prometheus.example.com/path'));
  t.ok(accepted('https://anna:s%40cret@prometheus.example.com'));
  for (const url of ['prometheus:9090', 'file:///etc/passwd', '', 9090, 'http://anna:100%@prometheus:9090'])
    t.notOk(accepted(url), String(url));
});

tap.test('admission by default: everything is on, nothing on demand, our own namespace is exempt', async (t) => {
  const { settings, offers, oversubscribe } = admission({});
  t.strictSame(settings, {
    whenFull: 'wait',
    schedulerName: 'ours',
    exemptNamespaces: new Set(['system', 'kube-system']),
    namespaceSelector: [],
    enabledModes: new Set(['mig', 'mps', 'timeslicing']),
    rewriteRequests: true,
    autoDetectWorkloadType: true,
    defaultMigProfile: undefined,
    modeSelectors: { mig: {}, mps: {}, timeslicing: {} },
    mps: { maxClients: 16, defaultActiveThreads: 100, memoryLimitMiB: undefined },
    timeSlicing: { replicasPerGpu: 4, sliceMs: 100, fairnessMode: 'roundrobin' },
  });
  t.strictSame(offers, { onDemand: {}, nodes: { mig: [], mps: [], timeslicing: [] } });
  t.equal(oversubscribe, false);
});

const modes: readonly [says: string, values: object, enabled: string[]][] = [
  ['sharing.mig.enabled: false', { sharing: { mig: { enabled: false } } }, ['mps', 'timeslicing']],
  ['sharing.mps.enabled: false', { sharing: { mps: { enabled: false } } }, ['mig', 'timeslicing']],
  ['sharing.timeSlicing.enabled: false', { sharing: { timeSlicing: { enabled: false } } }, ['mig', 'mps']],
  ['enableMIG: false', { admissionWebhook: { optimization: { enableMIG: false } } }, ['mps', 'timeslicing']],
  ['enableMPS: false', { admissionWebhook: { optimization: { enableMPS: false } } }, ['mig', 'timeslicing']],
  ['enableTimeSlicing: false', { admissionWebhook: { optimization: { enableTimeSlicing: false } } }, ['mig', 'mps']],
];
for (const [says, values, enabled] of modes) {
  tap.test(says, async (t) => t.strictSame(admission(values).settings.enabledModes, new Set(enabled)));
}

tap.test('on demand is what autoConfig says, as fine as the configuration has it', async (t) => {
  const on = { autoConfig: true };
  t.strictSame(admission({ sharing: { mig: on, mps: on, timeSlicing: on } }).offers.onDemand, {
    mig: true,
    mps: 16,
    timeslicing: 4,
  });
  const fine = { sharing: { mps: { ...on, maxClients: 8 }, timeSlicing: { ...on, replicasPerGPU: 10 } } };
  t.strictSame(admission(fine).offers.onDemand, { mps: 8, timeslicing: 10 });
});

tap.test('a nodeSelector of a mode bounds its nodes', async (t) => {
  const { offers } = admission({ sharing: { mps: { nodeSelector: { 'nvidia.com/mps.capable': 'true' } } } });
  t.strictSame(offers.nodes.mps, [{ key: 'nvidia.com/mps.capable', operator: 'In', values: ['true'] }]);
  t.strictSame(offers.nodes.mig, []);
});

tap.test('binPacking.enabled: false: the default scheduler, and nodes told apart by how they share', async (t) => {
  const { settings } = admission({ binPacking: { enabled: false } });
  t.equal(settings.schedulerName, 'default-scheduler');
  t.strictSame(settings.modeSelectors, {
    mig: {},
    mps: { 'nvidia.com/gpu.sharing-strategy': 'mps' },
    timeslicing: { 'nvidia.com/gpu.sharing-strategy': 'time-slicing' },
  });
});

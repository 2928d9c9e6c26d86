/** What labels and annotations ask of us: the public contract, read once. */

import fc from 'fast-check';
import tap from 'tap';
import { type PodOptions, parsePodOptions } from '#src/api/pod-options.ts';

const PREFIX = 'gpu-autoscaler.io/';
const annotated = (key: string, value: string) => parsePodOptions({}, { [PREFIX + key]: value });
const labelled = (key: string, value: string) => parsePodOptions({ [PREFIX + key]: value }, {});

const NOTHING: PodOptions = {
  optimize: true,
  alreadyDecided: false,
  sharingDisabled: false,
  explicitMode: undefined,
  explicitProfile: undefined,
  disabledModes: new Set(),
  workloadType: undefined,
  memoryMiB: undefined,
  fractionMilli: undefined,
  promisedMode: undefined,
  faults: [],
};

tap.test('a pod that says nothing wishes nothing', async (t) => {
  t.strictSame(parsePodOptions({}, {}), NOTHING);
  t.strictSame(parsePodOptions(undefined, undefined), NOTHING);
  t.strictSame(parsePodOptions(null, null), NOTHING);
  const others = { 'gpu-autoscaler.io/unheard-of': 'x', 'example.com/sharing-mode': 'mps', app: 'training' };
  t.strictSame(parsePodOptions(others, others), NOTHING, 'what is not ours is not read');
});

const readable: readonly [key: string, value: string, wish: Partial<PodOptions>][] = [
  ['optimize', 'false', { optimize: false }],
  ['optimize', 'true', { optimize: true }],
  ['optimized', 'true', { alreadyDecided: true }],
  ['optimized', '', { alreadyDecided: true }],
  ['sharing', 'disabled', { sharingDisabled: true }],
  ['sharing', 'enabled', { sharingDisabled: false }],
  ['sharing-mode', 'mig', { explicitMode: 'mig' }],
  ['sharing-mode', 'mps', { explicitMode: 'mps' }],
  ['sharing-mode', 'timeslicing', { explicitMode: 'timeslicing' }],
  ['sharing-mode', 'time-slicing', { explicitMode: 'timeslicing' }],
  ['sharing-mode', 'exclusive', { explicitMode: 'exclusive' }],
  ['mig-profile', '1g.5gb', { explicitProfile: { name: '1g.5gb', computeSlices: 1, gib: 5 } }],
  ['mig-profile', '1g.5gb+me', { explicitProfile: { name: '1g.5gb+me', computeSlices: 1, gib: 5 } }],
  ['mig-enabled', 'false', { disabledModes: new Set(['mig']) }],
  ['mps-enabled', 'false', { disabledModes: new Set(['mps']) }],
  ['time-slicing-enabled', 'false', { disabledModes: new Set(['timeslicing']) }],
  ['mps-enabled', 'true', { disabledModes: new Set() }],
  ['gpu-memory', '8Gi', { memoryMiB: 8_192 }],
  ['gpu-fraction', '0.25', { fractionMilli: 250 }],
  ['gpu-fraction', '250m', { fractionMilli: 250 }],
  ['optimization-strategy', 'mps', { promisedMode: 'mps' }],
  ['optimization-strategy', 'exclusive', {}],
];
for (const [key, value, wish] of readable) {
  tap.test(`annotation ${key}: "${value}"`, async (t) => t.strictSame(annotated(key, value), { ...NOTHING, ...wish }));
}

const types = {
  training: 'training',
  inference: 'inference',
  serving: 'inference',
  development: 'development',
  testing: 'development',
  jupyter: 'development',
  notebook: 'development',
  batch: 'batch',
} as const;
for (const [value, workloadType] of Object.entries(types)) {
  tap.test(`label workload-type: ${value} means ${workloadType}`, async (t) => {
    t.strictSame(labelled('workload-type', value), { ...NOTHING, workloadType });
  });
}

tap.test('declared memory may be a label; the annotation wins', async (t) => {
  t.equal(labelled('memory-requirement', '16Gi').memoryMiB, 16_384);
  const both = parsePodOptions({ [`${PREFIX}memory-requirement`]: '16Gi' }, { [`${PREFIX}gpu-memory`]: '8Gi' });
  t.equal(both.memoryMiB, 8_192);
});

tap.test('several modes may be switched off', async (t) => {
  const off = { [`${PREFIX}mig-enabled`]: 'false', [`${PREFIX}time-slicing-enabled`]: 'false' };
  t.strictSame(parsePodOptions({}, off).disabledModes, new Set(['mig', 'timeslicing']));
});

tap.test('a label is not read as an annotation, nor an annotation as a label', async (t) => {
  t.strictSame(labelled('sharing-mode', 'mps'), NOTHING);
  t.strictSame(annotated('workload-type', 'training'), NOTHING);
});

const unreadable: readonly [key: string, value: string, fault: string][] = [
  ['optimize', 'no', '"no" is not one of true, false'],
  ['optimize', 'False', '"False" is not one of true, false'],
  ['optimize', '', '"" is not one of true, false'],
  ['sharing', 'off', '"off" is not one of enabled, disabled'],
  ['sharing-mode', 'MPS', '"MPS" is not one of mig, mps, timeslicing, time-slicing, exclusive'],
  ['sharing-mode', 'constructor', '"constructor" is not one of mig, mps, timeslicing, time-slicing, exclusive'],
  ['sharing-mode', '__proto__', '"__proto__" is not one of mig, mps, timeslicing, time-slicing, exclusive'],
  ['mig-profile', '1g.5', '"1g.5" is not a MIG profile such as 1g.5gb or 1g.5gb+me'],
  ['mig-enabled', '0', '"0" is not one of true, false'],
  ['mps-enabled', 'nope', '"nope" is not one of true, false'],
  ['time-slicing-enabled', ' false', '" false" is not one of true, false'],
  ['gpu-memory', '8GB', '"8GB" is not a Kubernetes quantity'],
  ['gpu-memory', '0', '"0" is not more than 0'],
  ['gpu-memory', '8', '"8" is a number of bytes: write 8Gi'],
  ['gpu-memory', '1e400', '"1e400" is too large'],
  ['gpu-fraction', '2', '"2" is not more than 0 and at most 1'],
  ['gpu-fraction', '25%', '"25%" is not a Kubernetes quantity'],
  ['optimization-strategy', 'magic', '"magic" is not one of mig, mps, timeslicing, time-slicing, exclusive'],
];
for (const [key, value, fault] of unreadable) {
  tap.test(`annotation ${key}: ${JSON.stringify(value)} is a fault, and counts as unsaid`, async (t) => {
    t.strictSame(annotated(key, value), { ...NOTHING, faults: [`${PREFIX}${key}: ${fault}`] });
  });
}

tap.test('an unknown workload type is a fault that names the known ones', async (t) => {
  const { workloadType, faults } = labelled('workload-type', 'Training');
  t.equal(workloadType, undefined);
  const known = Object.keys(types).join(', ');
  t.strictSame(faults, [`${PREFIX}workload-type: "Training" is not one of ${known}`]);
});

tap.test('each value that cannot be read has its own sentence; the others still count', async (t) => {
  const labels = { [`${PREFIX}workload-type`]: 'x', [`${PREFIX}memory-requirement`]: 'y' };
  const annotations = { [`${PREFIX}sharing-mode`]: 'z', [`${PREFIX}optimize`]: 'false' };
  const wishes = parsePodOptions(labels, annotations);
  t.equal(wishes.optimize, false);
  t.strictSame(wishes.faults.map((fault) => fault.split(':')[0]).sort(), [
    `${PREFIX}memory-requirement`,
    `${PREFIX}sharing-mode`,
    `${PREFIX}workload-type`,
  ]);
});

tap.test('a hostile value cannot fill a warning, nor break its line', async (t) => {
  const [fault = ''] = annotated('sharing-mode', `\n\u0000${'x'.repeat(100_000)}`).faults;
  t.match(fault, /^gpu-autoscaler.io\/sharing-mode: "\\n\\u0000x+\.\.\." is not one of/);
  t.ok(fault.length < 250, `${fault.length} characters`);
});

tap.test('any strings are read without an error, and each fault names its key', async () => {
  const keys = [...new Set([...readable, ...unreadable].map(([key]) => key)), 'workload-type', 'memory-requirement'];
  const values = fc.oneof(fc.string(), fc.constantFrom(...[...readable, ...unreadable].map(([, value]) => value)));
  const strings = fc.dictionary(fc.constantFrom(...keys.map((key) => PREFIX + key)), values);
  fc.assert(
    fc.property(strings, strings, (labels, annotations) => {
      const { faults } = parsePodOptions(labels, annotations);
      return faults.every((fault) => keys.some((key) => fault.startsWith(`${PREFIX}${key}: "`)));
    }),
    { numRuns: 500 },
  );
});

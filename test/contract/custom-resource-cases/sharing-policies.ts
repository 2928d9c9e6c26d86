/** GPUSharingPolicies that the API server takes, and others that it refuses. */

import type { AcceptedCase, RefusedCase } from './case.ts';

const selected = (...matchExpressions: object[]) => ({ strategy: 'auto', podSelector: { matchExpressions } });
const condition = (operator: string, ...values: string[]) => selected({ key: 'app', operator, values });
const mps = (mpsConfig: object) => ({ strategy: 'mps', mpsConfig });
const mig = (migConfig: object) => ({ strategy: 'mig', migConfig });
const slicing = (timeSlicingConfig: object) => ({ strategy: 'timeslicing', timeSlicingConfig });
const times = <T>(n: number, make: (i: number) => T) => Array.from({ length: n }, (_, i) => make(i));
const labels = (n: number) => Object.fromEntries(times(n, (i) => [`key-${i}`, 'x']));

const PREFIX = `${'a'.repeat(63)}.`.repeat(4).slice(0, 253);
const LONGEST_KEY = `${PREFIX}/${'n'.repeat(63)}`;

const longKey = (i: number) => LONGEST_KEY.slice(0, -2) + String(i).padStart(2, '0');
const largestMap = Object.fromEntries(times(16, (i) => [longKey(i), 'v'.repeat(63)]));
const largestSelector = {
  matchLabels: largestMap,
  matchExpressions: times(16, (i) => ({ key: longKey(i), operator: 'In', values: times(32, () => 'v'.repeat(63)) })),
};
/** Checking a rule costs time, of which the API server grants so much. */
const largest = {
  strategy: 'auto',
  podSelector: largestSelector,
  namespaceSelector: largestSelector,
  nodeSelector: largestMap,
};

export const acceptedPolicies: readonly AcceptedCase[] = [
  { sentence: 'a strategy is enough', spec: { strategy: 'exclusive' }, stored: { priority: 0 } },
  { sentence: 'mig without more', spec: { strategy: 'mig' } },
  {
    sentence: 'auto may say what each way of sharing is like',
    spec: { strategy: 'auto', migConfig: {}, mpsConfig: {}, timeSlicingConfig: {} },
    stored: {
      migConfig: { autoSelectProfile: true },
      mpsConfig: { maxClients: 16, defaultActiveThreads: 100 },
      timeSlicingConfig: { replicasPerGPU: 4, sliceMs: 100, fairnessMode: 'roundrobin' },
    },
  },
  { sentence: 'one profile and no other', spec: mig({ profile: '1g.5gb', autoSelectProfile: false }) },
  {
    sentence: 'a profile with media engines',
    spec: mig({ profile: '1g.10gb+me' }),
    stored: { migConfig: { profile: '1g.10gb+me', autoSelectProfile: true } },
  },
  { sentence: 'two clients', spec: mps({ maxClients: 2, defaultActiveThreads: 50 }) },
  { sentence: '48 clients', spec: mps({ maxClients: 48, defaultActiveThreads: 2 }) },
  { sentence: 'threads up to the share, rounded down', spec: mps({ maxClients: 16, defaultActiveThreads: 6 }) },
  { sentence: 'all threads mean no limit but the share', spec: mps({ maxClients: 48, defaultActiveThreads: 100 }) },
  { sentence: 'memory up to the largest GPU', spec: mps({ maxClients: 16, memoryLimitMB: 17_792 }) },
  {
    sentence: 'null where there is a default is the default',
    spec: mps({ maxClients: null }),
    stored: { mpsConfig: { maxClients: 16, defaultActiveThreads: 100 } },
  },
  { sentence: 'two replicas', spec: slicing({ replicasPerGPU: 2, fairnessMode: 'weighted' }) },
  { sentence: '100 replicas', spec: slicing({ replicasPerGPU: 100, sliceMs: 1, fairnessMode: 'priority' }) },
  {
    sentence: 'selectors that are empty select everything',
    spec: { strategy: 'auto', podSelector: {}, namespaceSelector: { matchLabels: {} }, nodeSelector: {} },
  },
  {
    sentence: 'a namespace selector',
    spec: { strategy: 'auto', namespaceSelector: { matchLabels: { environment: 'staging' } } },
  },
  { sentence: 'In', spec: condition('In', 'a', 'b', '') },
  { sentence: 'NotIn', spec: condition('NotIn', 'a') },
  { sentence: 'Exists', spec: selected({ key: 'app', operator: 'Exists' }) },
  { sentence: 'DoesNotExist with an empty list of values', spec: condition('DoesNotExist') },
  { sentence: 'the longest key', spec: selected({ key: LONGEST_KEY, operator: 'Exists' }) },
  {
    sentence: 'the longest key and value of a node',
    spec: { strategy: 'auto', nodeSelector: { [LONGEST_KEY]: 'v'.repeat(63) } },
  },
  { sentence: 'as many labels as there may be', spec: { strategy: 'auto', nodeSelector: labels(16) } },
  { sentence: 'the largest of all', spec: largest },
  { sentence: 'a low priority', spec: { strategy: 'auto', priority: -1_000_000 } },
];

export const refusedPolicies: readonly RefusedCase[] = [
  { sentence: 'no spec', spec: undefined, says: 'spec: Required value' },
  { sentence: 'no strategy', spec: {}, says: 'spec.strategy: Required value' },
  {
    sentence: 'an unknown strategy',
    spec: { strategy: 'MIG' },
    says: 'spec.strategy: Unsupported value: "MIG": supported values: "mig", "mps", "timeslicing", "exclusive", "auto"',
  },
  {
    sentence: 'an unknown field',
    spec: mps({ maxclients: 8 }),
    says: 'unknown field "spec.mpsConfig.maxclients"',
    parsedBecause: 'only a client that asks for it is told; else the API server drops what it does not know',
  },

  {
    sentence: 'mpsConfig beside strategy mig',
    spec: { strategy: 'mig', mpsConfig: {} },
    says: 'spec.mpsConfig: Forbidden: only strategy mps and auto use mpsConfig: remove it, or change strategy',
  },
  {
    sentence: 'migConfig beside strategy exclusive',
    spec: { strategy: 'exclusive', migConfig: {} },
    says: 'spec.migConfig: Forbidden: only strategy mig and auto use migConfig: remove it, or change strategy',
  },
  {
    sentence: 'timeSlicingConfig beside strategy mps',
    spec: { strategy: 'mps', timeSlicingConfig: {} },
    says: 'spec.timeSlicingConfig: Forbidden: only strategy timeslicing and auto use timeSlicingConfig: remove it, or change strategy',
  },

  {
    sentence: 'no profile, and none to be found',
    spec: mig({ autoSelectProfile: false }),
    says: 'spec.migConfig.profile: Required value: autoSelectProfile is false and no profile is named: set profile, or autoSelectProfile to true',
  },
  {
    sentence: 'a profile without its unit',
    spec: mig({ profile: '1g.5' }),
    says: 'spec.migConfig.profile: Invalid value: "1g.5": not a MIG profile: write it as NVIDIA does, such as 1g.5gb or 1g.5gb+me',
  },
  {
    sentence: 'a profile that no GPU has',
    spec: mig({ profile: '5g.20gb' }),
    says: 'spec.migConfig.profile: Invalid value: "5g.20gb": not a MIG profile',
  },
  {
    sentence: 'a resource for a profile',
    spec: mig({ profile: '1g.5gb.me' }),
    says: 'spec.migConfig.profile: Invalid value: "1g.5gb.me": not a MIG profile',
  },
  {
    sentence: 'a profile of silly length',
    spec: mig({ profile: '1'.repeat(10_000) }),
    says: 'spec.migConfig.profile: Too long: may not be more than 16 bytes',
  },

  {
    sentence: 'one client, which would not share',
    spec: mps({ maxClients: 1 }),
    says: 'spec.mpsConfig.maxClients: Invalid value: 1: spec.mpsConfig.maxClients in body should be greater than or equal to 2',
  },
  {
    sentence: 'more clients than MPS takes',
    spec: mps({ maxClients: 49 }),
    says: 'spec.mpsConfig.maxClients: Invalid value: 49: spec.mpsConfig.maxClients in body should be less than or equal to 48',
  },
  {
    sentence: 'a number in quotes',
    spec: mps({ maxClients: '16' }),
    says: 'spec.mpsConfig.maxClients: Invalid value: "string": spec.mpsConfig.maxClients in body must be of type integer: "string"',
  },
  {
    sentence: 'part of a client',
    spec: mps({ maxClients: 2.5 }),
    says: 'spec.mpsConfig.maxClients: Invalid value: "number": spec.mpsConfig.maxClients in body must be of type integer: "number"',
  },
  {
    sentence: 'no threads',
    spec: mps({ defaultActiveThreads: 0 }),
    says: 'spec.mpsConfig.defaultActiveThreads: Invalid value: 0: spec.mpsConfig.defaultActiveThreads in body should be greater than or equal to 1',
  },
  {
    sentence: 'more than all threads',
    spec: mps({ defaultActiveThreads: 101 }),
    says: 'spec.mpsConfig.defaultActiveThreads: Invalid value: 101: spec.mpsConfig.defaultActiveThreads in body should be less than or equal to 100',
  },
  {
    sentence: 'more threads than the share',
    spec: mps({ defaultActiveThreads: 7 }),
    says: 'spec.mpsConfig.defaultActiveThreads: Invalid value: more than the share of each client, which is 100 / maxClients: lower defaultActiveThreads or maxClients, or write 100 for no limit but the share',
  },
  {
    sentence: 'no memory',
    spec: mps({ memoryLimitMB: 0 }),
    says: 'spec.mpsConfig.memoryLimitMB: Invalid value: 0: spec.mpsConfig.memoryLimitMB in body should be greater than or equal to 1',
  },
  {
    sentence: 'more memory than a GPU has',
    spec: mps({ memoryLimitMB: 17_793 }),
    says: 'spec.mpsConfig.memoryLimitMB: Invalid value: memoryLimitMB times maxClients is more than the 284672 MiB of the largest GPU: lower memoryLimitMB or maxClients',
  },
  {
    sentence: 'a quantity for MiB',
    spec: mps({ memoryLimitMB: '2Gi' }),
    says: 'spec.mpsConfig.memoryLimitMB: Invalid value: "string": spec.mpsConfig.memoryLimitMB in body must be of type integer: "string"',
  },

  {
    sentence: 'one replica, which would not share',
    spec: slicing({ replicasPerGPU: 1 }),
    says: 'spec.timeSlicingConfig.replicasPerGPU: Invalid value: 1: spec.timeSlicingConfig.replicasPerGPU in body should be greater than or equal to 2',
  },
  {
    sentence: 'a silly number of replicas',
    spec: slicing({ replicasPerGPU: 101 }),
    says: 'spec.timeSlicingConfig.replicasPerGPU: Invalid value: 101: spec.timeSlicingConfig.replicasPerGPU in body should be less than or equal to 100',
  },
  {
    sentence: 'no time',
    spec: slicing({ sliceMs: 0 }),
    says: 'spec.timeSlicingConfig.sliceMs: Invalid value: 0: spec.timeSlicingConfig.sliceMs in body should be greater than or equal to 1',
  },
  {
    sentence: 'an unknown fairness',
    spec: slicing({ fairnessMode: 'fair' }),
    says: 'spec.timeSlicingConfig.fairnessMode: Unsupported value: "fair": supported values: "roundrobin", "priority", "weighted"',
  },
  {
    sentence: 'a priority beyond all others',
    spec: { strategy: 'auto', priority: 1_000_001 },
    says: 'spec.priority: Invalid value: 1000001: spec.priority in body should be less than or equal to 1000000',
  },

  {
    sentence: 'In without values',
    spec: selected({ key: 'app', operator: 'In' }),
    says: 'spec.podSelector.matchExpressions[0].values: Required value: In and NotIn need at least one value: add it, or use Exists or DoesNotExist',
  },
  {
    sentence: 'NotIn with an empty list of values',
    spec: condition('NotIn'),
    says: 'spec.podSelector.matchExpressions[0].values: Required value: In and NotIn need at least one value: add it, or use Exists or DoesNotExist',
  },
  {
    sentence: 'Exists with a value',
    spec: condition('Exists', 'a'),
    says: 'spec.podSelector.matchExpressions[0].values: Forbidden: Exists and DoesNotExist take no values: remove them, or use In or NotIn',
  },
  {
    sentence: 'an unknown operator',
    spec: condition('Equals', 'a'),
    says: 'spec.podSelector.matchExpressions[0].operator: Unsupported value: "Equals": supported values: "In", "NotIn", "Exists", "DoesNotExist"',
  },
  {
    sentence: 'a condition without a key',
    spec: selected({ operator: 'Exists' }),
    says: 'spec.podSelector.matchExpressions[0].key: Required value',
  },
  {
    sentence: 'a key that is none',
    spec: selected({ key: 'no key', operator: 'Exists' }),
    says: 'spec.podSelector.matchExpressions[0].key: Invalid value: "no key": not a label key: a name of at most 63 letters, digits, "-", "_" and ".", and perhaps a domain and "/" before it',
  },
  {
    sentence: 'a key whose name is too long',
    spec: selected({ key: `a/${'n'.repeat(64)}`, operator: 'Exists' }),
    says: `spec.podSelector.matchExpressions[0].key: Invalid value: "a/${'n'.repeat(64)}": not a label key`,
  },
  {
    sentence: 'a key of silly length',
    spec: selected({ key: 'k'.repeat(10_000), operator: 'Exists' }),
    says: 'spec.podSelector.matchExpressions[0].key: Too long: may not be more than 317 bytes',
  },
  {
    sentence: 'a value that is none',
    spec: condition('In', 'a', 'no value'),
    says: 'spec.podSelector.matchExpressions[0].values[1]: Invalid value: "no value": not a label value: letters, digits, "-", "_" and ".", with a letter or digit at both ends',
  },
  {
    sentence: 'a value that is too long',
    spec: condition('In', 'v'.repeat(64)),
    says: 'spec.podSelector.matchExpressions[0].values[0]: Too long: may not be more than 63 bytes',
  },
  {
    sentence: 'too many values',
    spec: condition('In', ...times(33, String)),
    says: 'spec.podSelector.matchExpressions[0].values: Too many: 33: must have at most 32 items',
  },
  {
    sentence: 'too many conditions',
    spec: selected(...times(17, (i) => ({ key: `k${i}`, operator: 'Exists' }))),
    says: 'spec.podSelector.matchExpressions: Too many: 17: must have at most 16 items',
  },
  {
    sentence: 'a label whose key is none',
    spec: { strategy: 'auto', podSelector: { matchLabels: { '/app': 'x' } } },
    says: 'spec.podSelector.matchLabels: Invalid value: a key is not a label key',
  },
  {
    sentence: 'a label whose value is none',
    spec: { strategy: 'auto', namespaceSelector: { matchLabels: { app: '-x' } } },
    says: 'spec.namespaceSelector.matchLabels[app]: Invalid value: "-x": not a label value',
  },
  {
    sentence: 'too many labels',
    spec: { strategy: 'auto', nodeSelector: labels(17) },
    says: 'spec.nodeSelector: Too many: 17: must have at most 16 items',
  },
  {
    sentence: 'a node selector written as a LabelSelector',
    spec: { strategy: 'auto', nodeSelector: { matchLabels: {} } },
    says: 'spec.nodeSelector.matchLabels: Invalid value: "object": spec.nodeSelector.matchLabels in body must be of type string: "object"',
  },
  {
    sentence: 'a pod selector written as a map',
    spec: { strategy: 'auto', podSelector: { app: 'x' } },
    says: 'unknown field "spec.podSelector.app"',
    parsedBecause: 'as with any unknown field',
  },
  {
    sentence: 'a label value that YAML takes for a boolean',
    spec: { strategy: 'auto', nodeSelector: { 'nvidia.com/mig.capable': true } },
    says: 'spec.nodeSelector.nvidia.com/mig.capable: Invalid value: "boolean": spec.nodeSelector.nvidia.com/mig.capable in body must be of type string: "boolean"',
  },
];

/** The configuration file as text: every fault with its place, and what probably was meant. */

import fc from 'fast-check';
import tap from 'tap';
import { stringify } from 'yaml';
import { configurationSchema } from '#src/api/configuration.ts';
import { parseConfiguration } from '#src/api/configuration-file.ts';
import { cpuMs } from '../../objects/cpu-time.ts';

function faultsOf(text: string): readonly string[] {
  const parsed = parseConfiguration(text, 'c.yaml');
  return parsed.ok ? [] : parsed.faults;
}

const DEFAULTS = configurationSchema.parse({});
const fine: readonly [says: string, text: string, configuration?: object][] = [
  ['empty', ''],
  ['blank lines', '\n\n  \n'],
  ['comments alone', '# nothing\n#\n'],
  ['a document without content', '---\n'],
  ['null', 'null\n'],
  ['an empty map', '{}'],
  ['a byte order mark', '\ufeffbinPacking: {strategy: worstfit}\n', { binPacking: { strategy: 'worstfit' } }],
  ['lines that end as on Windows', 'binPacking:\r\n  strategy: worstfit\r\n', { binPacking: { strategy: 'worstfit' } }],
  ['JSON', '{"binPacking": {"strategy": "worstfit"}}', { binPacking: { strategy: 'worstfit' } }],
  [
    'an anchor and its alias',
    'sharing:\n  mig: {nodeSelector: &n {pool: a}}\n  mps: {nodeSelector: *n}\n',
    { sharing: { mig: { nodeSelector: { pool: 'a' } }, mps: { nodeSelector: { pool: 'a' } } } },
  ],
];
for (const [says, text, configuration = DEFAULTS] of fine) {
  tap.test(`can be used: ${says}`, async (t) =>
    t.match(parseConfiguration(text, 'c.yaml'), { ok: true, configuration }),
  );
}

const faulty: readonly [says: string, text: string, ...faults: (string | RegExp)[]][] = [
  [
    'an unknown key, and what was meant',
    'sharing:\n  mps:\n    maxClient: 4\n',
    'c.yaml:3:5: sharing.mps.maxClient: there is no such key; did you mean maxClients?',
  ],
  [
    'an unknown key in another case',
    'binpacking: {}\n',
    'c.yaml:1:1: binpacking: there is no such key; did you mean binPacking?',
  ],
  ['an unknown key like none', 'binPacking:\n  colour: red\n', 'c.yaml:2:3: binPacking.colour: there is no such key'],
  [
    'an unknown key in what only the chart needs',
    'binPacking:\n  scheduler: {imagee: x}\n',
    'c.yaml:2:15: binPacking.scheduler.imagee: there is no such key; did you mean image?',
  ],
  [
    'every fault is told',
    'sharing:\n  mps: {maxClients: 1}\nadmissionWebhook:\n  failurePolicy: ignore\n  exempt: []\n',
    'c.yaml:2:21: sharing.mps.maxClients: Too small: expected number to be >=2',
    'c.yaml:4:18: admissionWebhook.failurePolicy: Invalid option: expected one of "Ignore"|"Fail"',
    'c.yaml:5:3: admissionWebhook.exempt: there is no such key',
  ],
  [
    'a wrong type',
    'sharing:\n  mig:\n    enabled: "yes"\n',
    'c.yaml:3:14: sharing.mig.enabled: Invalid input: expected boolean, received string',
  ],
  [
    'yes is no boolean in YAML 1.2',
    'sharing:\n  mig:\n    enabled: yes\n',
    'c.yaml:3:14: sharing.mig.enabled: Invalid input: expected boolean, received string',
  ],
  [
    'a number where a text is meant',
    'sharing:\n  mig: {nodeSelector: {pool: 1}}\n',
    'c.yaml:2:30: sharing.mig.nodeSelector.pool: Invalid input: expected string, received number',
  ],
  [
    'a section that is left empty',
    'sharing:\nbinPacking: {}\n',
    /^c\.yaml:1:\d+: sharing: Invalid input: expected object, received null$/,
  ],
  [
    'an item of a list',
    'admissionWebhook:\n  exemptNamespaces:\n    - a\n    - ""\n',
    /^c\.yaml:4:7: admissionWebhook\.exemptNamespaces\.1: Too small/,
  ],
  [
    'a rule between two keys',
    'sharing:\n  mps:\n    maxClients: 8\n    defaultActiveThreads: 50\n',
    'c.yaml:4:27: sharing.mps.defaultActiveThreads: more than the share of each client, which is 100 / maxClients: lower defaultActiveThreads or maxClients, or write 100 for no limit but the share',
  ],
  [
    'a rule deeper down',
    'sharing:\n  mps:\n    resources:\n      memoryLimitMB: 99999\n',
    /^c\.yaml:4:22: sharing\.mps\.resources\.memoryLimitMB: memoryLimitMB times maxClients is more than/,
  ],
  [
    'no MIG profile',
    'sharing: {mig: {defaultProfile: half}}\n',
    'c.yaml:1:33: sharing.mig.defaultProfile: not a MIG profile: write it as NVIDIA does, such as 1g.5gb or 1g.5gb+me',
  ],
  [
    'no time',
    'binPacking: {analysisInterval: 5 minutes}\n',
    'c.yaml:1:32: binPacking.analysisInterval: "5 minutes" is not a time such as 90s, 5m or 1h',
  ],
  ['a list', '- a\n- b\n', 'c.yaml:1:1: the file: Invalid input: expected object, received array'],
  ['a text', 'hello\n', 'c.yaml:1:1: the file: Invalid input: expected object, received string'],
  ['a number', '42\n', 'c.yaml:1:1: the file: Invalid input: expected object, received number'],
  ['a key twice', 'binPacking: {}\nbinPacking: {}\n', 'c.yaml:2:1: Map keys must be unique'],
  ['a key twice, in JSON', '{"logLevel": "info", "logLevel": "warn"}', 'c.yaml:1:22: Map keys must be unique'],
  ['a tab for an indent', 'binPacking:\n\tstrategy: bestfit\n', /^c\.yaml:2:1: .*[Tt]abs?/],
  ['a bracket that is open', 'binPacking: {strategy: bestfit\n', /^c\.yaml:\d:\d+: /],
  ['several documents', 'binPacking: {}\n---\nsharing: {}\n', /^c\.yaml:2:1: the file holds several documents/],
  [
    'a merge key is a key like any other',
    'sharing:\n  mig: &m {enabled: false}\n  mps:\n    <<: *m\n',
    'c.yaml:4:5: sharing.mps.<<: there is no such key',
  ],
  ['an alias of nothing', 'sharing: *nobody\n', /^c\.yaml:1:1: the file: Unresolved alias .*nobody/],
  ['a key that is no text', '1: {}\n', 'c.yaml:1:1: 1: there is no such key'],
  ['a key that is a list', '[a, b]: {}\n', /^c\.yaml:1:1: \[ a, b \]: there is no such key/],
  ['__proto__', '__proto__: {enabled: false}\n', 'c.yaml:1:1: __proto__: there is no such key'],
  [
    'constructor',
    'sharing: {mig: {constructor: {}}}\n',
    /^c\.yaml:1:17: sharing\.mig\.constructor: there is no such key/,
  ],
];
for (const [says, text, ...expected] of faulty) {
  tap.test(`cannot be used: ${says}`, async (t) => {
    const faults = faultsOf(text);
    t.equal(faults.length, expected.length, faults.join('\n'));
    for (const [i, fault] of expected.entries()) {
      if (typeof fault === 'string') t.equal(faults[i], fault);
      else t.match(faults[i], fault);
    }
  });
}

tap.test('aliases of aliases of aliases fill no memory', async (t) => {
  const levels = Array.from({ length: 30 }, (_, i) => {
    const before = i === 0 ? '"x"' : `*a${i - 1}`;
    return `  a${i}: &a${i} [${Array.from({ length: 9 }, () => before).join(', ')}]`;
  });
  const before = cpuMs();
  const faults = faultsOf(`global:\n${levels.join('\n')}\n`);
  t.match(faults, [/^c\.yaml:1:1: the file: Excessive alias count/]);
  t.ok(cpuMs() - before < 2_000);
});

tap.test('whatever the file holds, it is read without an error, and each fault has its place', async () => {
  const something = fc.oneof(
    fc.string(),
    fc.string({
      unit: fc.constantFrom(
        ':',
        ' ',
        '\n',
        '-',
        '{',
        '}',
        '[',
        ']',
        '&a',
        '*a',
        '<<',
        '"',
        '\t',
        'sharing',
        '|',
        '>',
        '!!set ',
        '? ',
      ),
    }),
    fc.jsonValue().map((value) => stringify(value)),
    fc.record({ sharing: fc.jsonValue(), binPacking: fc.jsonValue() }).map((value) => stringify(value)),
  );
  fc.assert(
    fc.property(something, (text) => faultsOf(text).every((fault) => /^c\.yaml:\d+:\d+: ./.test(fault))),
    { numRuns: 1_000 },
  );
});

/** What the status of a GPUNodeConfig says, and when it is written. */

import tap from 'tap';
import { nodeConfigStatusSchema } from '#src/api/node-config.ts';
import { nodeConfigStatus, type StatusFacts } from '#src/reconciler/node-config-status.ts';
import type { PhaseStatus } from '#src/reconciler/step.ts';
import { nodeConfig } from '../../objects/node-configs.ts';
import { GPU, holder, MIXED, MPS, observed, SHARED, SLICED, settled, shown, underWay, WHOLE } from './make.ts';

const NOW = new Date('2026-01-02T03:04:05.678Z');
const LATER = new Date('2026-01-02T03:05:05.678Z');
const READY: PhaseStatus = { phase: 'Ready', reason: 'Ready', message: '2 whole GPUs' };
const BUSY: PhaseStatus = { phase: 'Pending', reason: 'Busy', message: 'waits' };

const configWith = (status?: unknown, generation = 3) => nodeConfig({}, { generation }, status);

function facts(more: Partial<StatusFacts> = {}): StatusFacts {
  const nothing = { rejection: undefined, gpuPods: [], recommendation: undefined };
  return { config: configWith(), phaseStatus: READY, node: observed(), ...nothing, ...more };
}

const condition = (type: string, status: string, reason: string, message: string, time = '2026-01-02T03:04:05Z') => ({
  type,
  status,
  reason,
  message,
  observedGeneration: 3,
  lastTransitionTime: time,
});

tap.test('a config without a status gets one, and after that none until something changes', async (t) => {
  const status = nodeConfigStatus(facts(), NOW);
  t.strictSame(status, {
    phase: 'Ready',
    message: '2 whole GPUs',
    migStatus: { enabled: false },
    mpsStatus: { enabled: false },
    timeSlicingStatus: { enabled: false },
    conditions: [
      condition('Rejected', 'False', 'Accepted', 'nothing stands against it'),
      condition('Ready', 'True', 'Ready', '2 whole GPUs'),
    ],
    lastUpdateTime: '2026-01-02T03:04:05Z',
  });
  t.ok(nodeConfigStatusSchema.safeParse(status).success, 'it keeps to the schema');
  t.equal(nodeConfigStatus(facts({ config: configWith(status) }), LATER), undefined);
});

tap.test('a condition keeps its time while it stays what it is', async (t) => {
  const before = nodeConfigStatus(facts(), NOW);
  const same = nodeConfigStatus(
    facts({ config: configWith(before), phaseStatus: { ...READY, message: 'other words' } }),
    LATER,
  );
  t.match(same?.conditions?.[1], { message: 'other words', lastTransitionTime: '2026-01-02T03:04:05Z' });
  t.equal(same?.lastUpdateTime, '2026-01-02T03:05:05Z');
  const turned = nodeConfigStatus(facts({ config: configWith(before), phaseStatus: BUSY }), LATER);
  t.match(turned, { phase: 'Pending', message: 'waits' });
  t.match(turned?.conditions, [
    { type: 'Rejected', lastTransitionTime: '2026-01-02T03:04:05Z' },
    { type: 'Ready', status: 'False', reason: 'Busy', lastTransitionTime: '2026-01-02T03:05:05Z' },
  ]);
});

tap.test('a new generation is told of, though nothing else has changed', async (t) => {
  const before = nodeConfigStatus(facts(), NOW);
  const next = nodeConfigStatus(facts({ config: configWith(before, 4) }), LATER);
  t.match(next?.conditions, [{ observedGeneration: 4 }, { observedGeneration: 4 }]);
});

tap.test('a status that somebody has spoilt is written anew', async (t) => {
  const before = nodeConfigStatus(facts(), NOW);
  for (const status of [
    { ...before, phase: 'Perfect' },
    { ...before, conditions: [] },
    'x',
    null,
    { phase: 'Ready' },
  ]) {
    t.match(
      nodeConfigStatus(facts({ config: configWith(status) }), LATER),
      { phase: 'Ready', conditions: [{}, {}] },
      JSON.stringify(status),
    );
  }
});

tap.test('what stands against it', async (t) => {
  const rejection = { code: 'NoMig', message: 'Tesla-T4 has no MIG' } as const;
  const phaseStatus: PhaseStatus = { phase: 'Failed', reason: 'Rejected', message: rejection.message };
  t.match(nodeConfigStatus(facts({ rejection, phaseStatus }), NOW)?.conditions, [
    { type: 'Rejected', status: 'True', reason: 'NoMig', message: 'Tesla-T4 has no MIG' },
    { type: 'Ready', status: 'False', reason: 'Rejected' },
  ]);
  const edit: PhaseStatus = { phase: 'Failed', reason: 'ForeignEdit', message: 'somebody else', isForeignEdit: true };
  t.match(nodeConfigStatus(facts({ phaseStatus: edit }), NOW)?.conditions, [
    { type: 'Rejected', status: 'False' },
    { type: 'Ready', status: 'False', reason: 'ForeignEdit' },
    { type: 'ForeignEdit', status: 'True', reason: 'LabelChanged', message: 'somebody else' },
  ]);
});

tap.test('what had to be mended is told while it is done, and as long as the node is what came of it', async (t) => {
  const repairs = [
    { reason: 'MigStuck', message: 'still pending' },
    { reason: 'MigFailed', message: 'failed: again' },
  ];
  const message = 'MigStuck: still pending; MigFailed: failed: again';
  const repaired = { type: 'Repaired', status: 'True', reason: 'MigFailed', message };
  for (const node of [underWay(MIXED, WHOLE, { repairs }), settled(MIXED, { repairs })]) {
    t.match(nodeConfigStatus(facts({ node }), NOW)?.conditions?.[2], repaired);
  }
  t.equal(nodeConfigStatus(facts({ node: settled(MIXED) }), NOW)?.conditions?.length, 2);
});

tap.test('the node as it is, whatever is wanted', async (t) => {
  const off = { enabled: false };
  const clients = [holder('p', SHARED), holder('q', SHARED), holder('r', GPU)];
  const cases: readonly [says: string, node: StatusFacts['node'], mig: object, mps: object, timeSlicing: object][] = [
    [
      'instances, by name',
      observed(shown(MIXED)),
      { enabled: true, configuredProfiles: ['1g.5gb', '3g.20gb'], availableDevices: 9 },
      off,
      off,
    ],
    [
      'instances with media engines',
      observed({ allocatable: { 'nvidia.com/mig-1g.5gb.me': '1' } }),
      { enabled: true, configuredProfiles: ['1g.5gb+me'], availableDevices: 1 },
      off,
      off,
    ],
    ['MPS', observed(shown(MPS)), off, { enabled: true, activeClients: 2, maxClients: 8 }, off],
    [
      'time-slicing',
      observed(shown(SLICED)),
      off,
      off,
      { enabled: true, physicalGPUs: 2, virtualGPUs: 8, replicasPerGPU: 4 },
    ],
    [
      'time-slicing with an unhealthy slot',
      observed({ ...shown(SLICED), allocatable: { [SHARED]: '7' } }),
      off,
      off,
      { enabled: true, physicalGPUs: 2, virtualGPUs: 7, replicasPerGPU: 4 },
    ],
    ['the device plugin is away', observed({ ...shown(MPS), allocatable: { [SHARED]: '0' } }), off, off, off],
    ['instances at 0 are none', observed({ allocatable: { 'nvidia.com/mig-1g.5gb': '0' } }), off, off, off],
    ['slots of which nobody says how', observed({ allocatable: { [SHARED]: '8' } }), off, off, off],
  ];
  for (const [says, node, migStatus, mpsStatus, timeSlicingStatus] of cases) {
    const status = nodeConfigStatus(facts({ node, gpuPods: clients }), NOW);
    const { migStatus: mig, mpsStatus: mps, timeSlicingStatus: slices } = status ?? {};
    t.strictSame({ mig, mps, slices }, { mig: migStatus, mps: mpsStatus, slices: timeSlicingStatus }, says);
    t.ok(nodeConfigStatusSchema.safeParse(status).success, says);
  }
  const status = nodeConfigStatus(facts({ node: undefined }), NOW);
  t.notOk('migStatus' in (status ?? {}), 'of a node that is not there nothing is said');
});

tap.test('what the planner would do, if it might, is a condition as long as pods wait for it', async (t) => {
  const recommendation = '1 GPU as 7 × 1g.5gb: makes room for 3 pods';
  const status = nodeConfigStatus(facts({ recommendation }), NOW);
  t.same(status?.conditions?.at(-1), condition('Recommended', 'True', 'PodsWait', recommendation));
  t.notOk(nodeConfigStatus(facts(), NOW)?.conditions?.some(({ type }) => type === 'Recommended'));
});

/** What counts as a preference of the pod, so that kube-scheduler has to weigh all nodes. */

import tap from 'tap';
import { podSchema } from '#src/api/kubernetes.ts';
import { hasPreferences, repelledBy } from '#src/api/pod-preferences.ts';
import { softTaintsOf, type Taint, type Toleration } from '#src/core/taints.ts';

function pod(spec: object) {
  return podSchema.parse({ metadata: { name: 'p' }, spec: { containers: [{ name: 'c' }], ...spec } });
}

const term = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1 }] };
const must = { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] };
const CASES: readonly [what: string, spec: object, expected: boolean][] = [
  ['nothing', {}, false],
  ['nulls, as Go writes them', { affinity: null, topologySpreadConstraints: null, tolerations: null }, false],
  ['preferred node affinity', { affinity: { nodeAffinity: term } }, true],
  ['preferred pod affinity', { affinity: { podAffinity: term } }, true],
  ['preferred pod anti-affinity', { affinity: { podAntiAffinity: term } }, true],
  [
    'required node affinity',
    { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } } },
    false,
  ],
  ['required pod affinity', { affinity: { podAffinity: must, podAntiAffinity: must } }, false],
  [
    'an empty list of preferences',
    { affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } } },
    false,
  ],
  ['soft spreading', { topologySpreadConstraints: [{ whenUnsatisfiable: 'ScheduleAnyway' }] }, true],
  ['hard spreading', { topologySpreadConstraints: [{ whenUnsatisfiable: 'DoNotSchedule' }] }, false],
  [
    'both',
    { topologySpreadConstraints: [{ whenUnsatisfiable: 'DoNotSchedule' }, { whenUnsatisfiable: 'ScheduleAnyway' }] },
    true,
  ],
  ['claimed devices', { resourceClaims: [{ name: 'nic' }] }, true],
  ['a node selector', { nodeSelector: { disk: 'fast' } }, false],
];
for (const [what, spec, expected] of CASES) {
  tap.test(`${what}: ${expected ? 'a preference' : 'none'}`, async (t) => {
    t.equal(hasPreferences(pod(spec)), expected);
  });
}

const SOFT: Taint = { key: 'spot', value: 'yes', effect: 'PreferNoSchedule' };
const TOLERATIONS: readonly [toleration: Toleration, tolerated: boolean][] = [
  [{ key: 'spot', operator: 'Equal', value: 'yes', effect: 'PreferNoSchedule' }, true],
  [{ key: 'spot', value: 'yes' }, true],
  [{ key: 'spot', operator: 'Exists' }, true],
  [{ operator: 'Exists' }, true],
  [{ key: 'spot', value: 'no' }, false],
  [{ key: 'spot' }, false],
  [{ key: 'other', operator: 'Exists' }, false],
  [{ key: 'spot', operator: 'Exists', effect: 'NoSchedule' }, false],
  [{ key: 'spot', operator: 'Lt', value: 'yes' }, false],
  [{ value: 'yes' }, false],
];
tap.test('a soft taint is shunned unless it is tolerated', async (t) => {
  t.ok(repelledBy(pod({}), [SOFT]));
  for (const [toleration, tolerated] of TOLERATIONS) {
    t.equal(repelledBy(pod({ tolerations: [toleration] }), [SOFT]), !tolerated, JSON.stringify(toleration));
  }
  t.ok(
    repelledBy(pod({ tolerations: [{ key: 'spot', operator: 'Exists' }] }), [SOFT, { ...SOFT, key: 'old' }]),
    'one is enough',
  );
  t.notOk(repelledBy(pod({}), []));
});

tap.test('only taints that merely make a node less welcome are soft', async (t) => {
  const hard = ['NoSchedule', 'NoExecute'].map((effect) => ({ ...SOFT, effect }));
  t.strictSame(softTaintsOf([...hard, SOFT]), [SOFT]);
  t.strictSame(softTaintsOf(null), []);
});

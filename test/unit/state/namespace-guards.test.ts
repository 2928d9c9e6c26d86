/** LimitRanges and ResourceQuotas of namespaces, as they come and go. */

import tap from 'tap';
import { quietState } from '../../objects/records.ts';

const GPU = 'nvidia.com/gpu';
const SHARED = 'nvidia.com/gpu.shared';
const request = (resource: string) => ({
  resources: [{ resource, count: 1, largestContainer: 1 }],
  mode: undefined,
  slotMiB: undefined,
  slotMilli: undefined,
});
const metadata = (name: string) => ({ name, namespace: 'team' });

tap.test('a request gets around a quota, until that counts slots as well or goes', async (t) => {
  const { guards, quotas } = quietState();
  const guardOf = (resource: string, namespace = 'team') => guards.applyTo(namespace, request(resource)).guard;
  quotas.update({ metadata: metadata('a'), spec: { hard: { 'requests.nvidia.com/gpu': '1', pods: '9' } } });
  t.strictSame([guardOf(SHARED), guardOf(GPU), guardOf(SHARED, 'other')], ['ResourceQuota', undefined, undefined]);
  quotas.update({ metadata: metadata('b'), spec: { hard: { 'requests.nvidia.com/gpu.shared': '8' } } });
  t.equal(guardOf(SHARED), undefined, 'another object of the same namespace counts them');
  quotas.delete({ metadata: metadata('b') });
  t.equal(guardOf(SHARED), 'ResourceQuota');
  quotas.update({ metadata: metadata('a'), spec: { hard: { pods: '9' } } });
  t.equal(guardOf(SHARED), undefined);
});

tap.test('a LimitRange', async (t) => {
  const { guards, limitRanges } = quietState();
  const limits = [{ type: 'Container', max: { [GPU]: '1' }, default: { cpu: '1' } }];
  limitRanges.update({ metadata: metadata('l'), spec: { limits } });
  t.equal(guards.applyTo('team', request(SHARED)).guard, 'LimitRange');
  t.same(guards.of('team'), { limited: new Set([GPU]), counted: new Set() });
  limitRanges.delete({ metadata: metadata('l') });
  t.equal(guards.applyTo('team', request(SHARED)).guard, undefined);
});

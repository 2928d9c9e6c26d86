/** Which configuration holds. */

import tap from 'tap';
import { clientOf, configurationOf } from '#src/cli/cluster-access.ts';

const PLACE = { file: undefined, systemNamespace: 'ours', installed: undefined, expected: false };

tap.test('a file, else what is installed, else the defaults', async (t) => {
  const dir = t.testdir({ 'config.yaml': 'binPacking: {strategy: firstfit}\n' });
  const installed = 'binPacking: {strategy: worstfit}\n';
  const strategy = (place: Partial<typeof PLACE> | object) =>
    configurationOf({ ...PLACE, ...place }).binPacking.strategy;
  t.equal(strategy({ file: `${dir}/config.yaml`, installed }), 'firstfit');
  t.equal(strategy({ installed }), 'worstfit');
  t.equal(strategy({}), 'bestfit');
});

tap.test('faults name the ConfigMap', async (t) => {
  t.throws(() => configurationOf({ ...PLACE, installed: 'binPacking: 1\n' }), {
    name: 'InputError',
    message: /^ConfigMap ours\/gpu-autoscaler-config:1:/,
  });
});

tap.test('without a cluster at hand: the way to do without', async (t) => {
  const refuse = async () => {
    throw new Error('no kubeconfig');
  };
  await t.rejects(clientOf(undefined, refuse), { name: 'InputError', message: /^no kubeconfig\n.*--snapshot FILE/ });
});

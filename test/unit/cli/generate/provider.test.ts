/** Which cloud provider of cluster-autoscaler makes the nodes. */

import tap from 'tap';
import { providerOf } from '#src/cli/generate/provider.ts';

const trace = (providerId: string, annotations: Readonly<Record<string, string>> = {}) => ({ providerId, annotations });

tap.test('by what was said, else by the nodes', async (t) => {
  t.equal(providerOf('gce', [trace('aws:///a/i-0')]), 'gce');
  t.equal(providerOf(undefined, [trace('aws:///a/i-0'), trace('')]), 'aws');
  t.equal(providerOf(undefined, [trace('azure:///subscriptions/s')]), 'azure');
  t.equal(providerOf(undefined, [trace('gce://project/zone/node')]), 'gce');
  t.equal(providerOf(undefined, [trace('aws:///a/i-0', { 'cluster.x-k8s.io/machine': 'm' })]), 'clusterapi');
});

tap.test('where it cannot be told', async (t) => {
  t.throws(() => providerOf('oracle', []), /--provider: "oracle" is not one of aws, azure, gce, clusterapi/);
  t.throws(() => providerOf(undefined, [trace('kwok://a')]), /no spec\.providerID .*: say --provider aws\|azure/);
  const two = [trace('gce://p/z/n'), trace('aws:///a/i-0')];
  t.throws(() => providerOf(undefined, two), /from several clouds \(aws, gce\): say --provider/);
});

/** A kind that the real API server does not know yet, comes to know, and forgets again. */

import tap from 'tap';
import { admissionConfigurationOf } from '#src/api/admission-settings.ts';
import { configurationSchema } from '#src/api/configuration.ts';
import { SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { API_GROUP } from '#src/api/keys.ts';
import { Reflector } from '#src/kube/reflector.ts';
import { AdmissionState } from '#src/state/admission-state.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { createCustom, installDefinitions, pathOf } from '../cluster/custom-resources.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { waitFor } from '../cluster/wait.ts';

tap.test('policies before their definition, with it, and after it', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { client } = cluster;
  const configuration = admissionConfigurationOf(configurationSchema.parse({}), 'gpu-autoscaler-system');
  const state = new ClusterState((why) => t.fail(why));
  const admission = new AdmissionState(state, configuration);
  const reflector = new Reflector({
    client,
    path: pathOf(SHARING_POLICIES),
    store: state.policies,
    optional: true,
    absentMs: 200,
    random: () => 0.5,
    log: () => {},
  });
  t.teardown(() => reflector.stop());
  const names = () =>
    admission
      .view()
      .policies.map(({ name }) => name)
      .join();

  reflector.start();
  await reflector.synced;
  t.equal(names(), '', 'the API server does not know them: there are none');

  await installDefinitions(client);
  await createCustom(client, SHARING_POLICIES, 'first', { strategy: 'mps' });
  await waitFor('the policy is known', () => names() === 'first');

  const definition = `${SHARING_POLICIES.plural}.${API_GROUP}`;
  await client.json('DELETE', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition}`);
  await waitFor('it has gone with its definition', () => names() === '');
  t.pass('listed, watched, gone');
});

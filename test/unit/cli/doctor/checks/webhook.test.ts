/** The registration of the webhook, and what stands behind it. */

import tap from 'tap';
import { webhook } from '#src/cli/doctor/checks/webhook.ts';
import { endpointSliceSchema, webhookConfigurationSchema } from '#src/cli/doctor/observations.ts';
import { webhookConfiguration } from '#src/webhook/configuration.ts';
import { contextOf, findingsOf } from '../make.ts';

const SERVICE = { namespace: 'gpu-autoscaler-system', name: 'gpu-autoscaler-webhook' };
const registered = ({ caBundle = 'PEM', failurePolicy = 'Ignore' as 'Ignore' | 'Fail', url = '' } = {}) =>
  webhookConfigurationSchema.parse(
    webhookConfiguration({
      clientConfig: url ? { url } : { service: { ...SERVICE, path: '/mutate-v1-pod' } },
      caBundle,
      failurePolicy,
      exemptNamespaces: [],
    }),
  );
const slice = (ready: boolean | undefined) =>
  endpointSliceSchema.parse({
    metadata: { ...SERVICE, name: 'x', labels: { 'kubernetes.io/service-name': SERVICE.name } },
    endpoints: [{ conditions: { ready } }],
  });

tap.test('registered, with a pod behind it: nothing', async (t) => {
  const seen = { webhooks: registered(), services: [SERVICE], endpointSlices: [slice(true)] };
  t.same(findingsOf(webhook, seen), []);
  t.same(findingsOf(webhook, { ...seen, endpointSlices: [slice(undefined)] }), [], 'not known counts as ready');
  t.same(findingsOf(webhook, { webhooks: registered({ url: 'https://10.0.0.1/x' }), services: [] }), [], 'at a URL');
  t.same(findingsOf(webhook, { webhooks: registered() }), [], 'Services that cannot be seen tell nothing');
});

tap.test('not registered', async (t) => {
  const others = webhookConfigurationSchema.parse({
    metadata: { name: 'other' },
    webhooks: [{ name: 'x', clientConfig: {} }],
  });
  t.match(findingsOf(webhook, { webhooks: others }), [{ severity: 'error', message: /pods\.gpu-autoscaler\.io/ }]);
  const off = contextOf({ admissionWebhook: { enabled: false } });
  t.same(findingsOf(webhook, { webhooks: [] }, off), [], 'nor is it meant to be');
});

tap.test('without a caBundle, a rule, or the failurePolicy that is configured', async (t) => {
  t.match(findingsOf(webhook, { webhooks: registered({ caBundle: '' }) }), [
    { severity: 'error', message: /has no caBundle: .*pods are admitted as they are/ },
  ]);
  const [hook] = registered();
  if (!hook) return;
  t.match(findingsOf(webhook, { webhooks: [{ ...hook, seesNewPods: false }] }), [{ message: /no rule for new pods/ }]);
  const closed = registered({ failurePolicy: 'Fail' });
  t.match(findingsOf(webhook, { webhooks: closed }), [
    { severity: 'warning', message: /failurePolicy Fail, and the configuration says Ignore: .*refused/ },
  ]);
  t.same(findingsOf(webhook, { webhooks: closed }, contextOf({ admissionWebhook: { failurePolicy: 'Fail' } })), []);
});

tap.test('a Service that is absent, or has no pod', async (t) => {
  const elsewhere = { ...SERVICE, namespace: 'default' };
  t.match(findingsOf(webhook, { webhooks: registered(), services: [elsewhere], endpointSlices: [] }), [
    { severity: 'error', message: /Service gpu-autoscaler-system\/gpu-autoscaler-webhook, .* is absent/ },
  ]);
  for (const endpointSlices of [[], [slice(false)]]) {
    t.match(findingsOf(webhook, { webhooks: registered(), services: [SERVICE], endpointSlices }), [
      { severity: 'error', message: /no pod is ready behind the Service/ },
    ]);
  }
});

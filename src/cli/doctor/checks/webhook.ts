/** Our entry with the API server: without it pods are admitted as they are. */

import { WEBHOOK_NAME } from '../../../api/keys.ts';
import { HOOK_NAME } from '../../../webhook/configuration.ts';
import { type CheckContext, defineCheck, type Finding } from '../check.ts';
import type { EndpointSlice, Named, Webhook } from '../observations.ts';

export const webhook = defineCheck({
  name: 'webhook',
  about: 'the admission webhook is not registered, or cannot be reached',
  needs: ['webhooks'],
  uses: ['services', 'endpointSlices'],
  run: ({ webhooks, services, endpointSlices }, { configuration, systemNamespace }) => {
    if (!configuration.admissionWebhook.enabled) return [];
    const ours = webhooks.filter(({ name }) => name === HOOK_NAME);
    if (ours.length === 0) return [unregistered()];
    return ours.flatMap((hook) => [
      ...faultsOf(hook, configuration, systemNamespace),
      ...(hook.service ? unreachable(hook, hook.service, services, endpointSlices) : []),
    ]);
  },
});

function unregistered(): Finding {
  return {
    severity: 'error',
    message: `no MutatingWebhookConfiguration has the webhook ${HOOK_NAME}: pods are admitted as they are, and none shares by itself`,
    fix: 'install the chart (helm install gpu-autoscaler charts/gpu-autoscaler …), or outside of a cluster run the webhook with --register-url',
    objects: [WEBHOOK_NAME],
  };
}

function faultsOf(
  { configuration: object, hasCaBundle, seesNewPods, failurePolicy }: Webhook,
  { admissionWebhook }: CheckContext['configuration'],
  systemNamespace: string,
): Finding[] {
  const found: Finding[] = [];
  const place = `MutatingWebhookConfiguration ${object}`;
  const outcome = failurePolicy === 'Fail' ? 'pods with GPUs are refused' : 'pods are admitted as they are';
  if (!hasCaBundle) {
    found.push({
      severity: 'error',
      message: `${place} has no caBundle: the API server does not trust the webhook, and ${outcome}`,
      fix: `wait until the webhook has filled it in, or read its log (kubectl logs -n ${systemNamespace} -l app.kubernetes.io/component=webhook); with certificates.mode files set caBundle`,
      objects: [object],
    });
  }
  if (!seesNewPods) {
    found.push({
      severity: 'error',
      message: `${place} has no rule for new pods: the webhook is never asked`,
      fix: 'install the chart again (helm upgrade), which restores its rules',
      objects: [object],
    });
  }
  if (failurePolicy !== admissionWebhook.failurePolicy) {
    found.push({
      severity: 'warning',
      message: `${place} has failurePolicy ${failurePolicy}, and the configuration says ${admissionWebhook.failurePolicy}: without an answer ${outcome}`,
      fix: 'install the chart again (helm upgrade) with the failurePolicy that is meant',
      objects: [object],
    });
  }
  return found;
}

function unreachable(
  { failurePolicy }: Webhook,
  { namespace, name }: Named,
  services: readonly Named[] | undefined,
  slices: readonly EndpointSlice[] | undefined,
): Finding[] {
  const outcome = failurePolicy === 'Fail' ? 'pods with GPUs are refused' : 'pods are admitted as they are';
  const isIt = (other: Named) => other.namespace === namespace && other.name === name;
  if (services && !services.some(isIt)) {
    return [
      {
        severity: 'error',
        message: `the Service ${namespace}/${name}, by which the webhook is reached, is absent: ${outcome}`,
        fix: 'install the chart again (helm upgrade), which restores the Service',
        objects: [`${namespace}/${name}`],
      },
    ];
  }
  if (!slices || slices.some(({ service, ready }) => isIt(service) && ready > 0)) return [];
  return [
    {
      severity: 'error',
      message: `no pod is ready behind the Service ${namespace}/${name}, by which the webhook is reached: ${outcome}`,
      fix: `kubectl describe pods -n ${namespace} -l app.kubernetes.io/component=webhook`,
      objects: [`${namespace}/${name}`],
    },
  ];
}

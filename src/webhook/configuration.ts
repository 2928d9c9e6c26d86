/** The MutatingWebhookConfiguration: which pods the API server sends us, and what it does if we do not answer. */

import { SYSTEM_NAMESPACE, WEBHOOK_NAME } from '../api/keys.ts';

/** Of our entry in the configuration. */
export const HOOK_NAME = 'pods.gpu-autoscaler.io';

export interface WebhookConfigurationOptions {
  /** Where the API server finds us: a Service in a cluster, a URL outside of one. */
  readonly clientConfig: { readonly url: string } | { readonly service: object };
  /** PEM of the certificate authority. */
  readonly caBundle: string;
  /** Besides our own namespace. */
  readonly exemptNamespaces: readonly string[];
  /** A LabelSelector; all others by default. */
  readonly namespaceSelector?: {
    readonly matchLabels?: object | undefined;
    readonly matchExpressions?: readonly object[] | undefined;
  };
  /** What the API server does without an answer; default Ignore: a pod gets the whole GPU that it asked for. */
  readonly failurePolicy?: 'Ignore' | 'Fail';
  /** How long it waits for one, 1 to 30; default 3. */
  readonly timeoutSeconds?: number;
}

const ASKS = (list: string) =>
  `${list}.exists(c, has(c.resources) && [has(c.resources.requests) ? c.resources.requests : {}, ` +
  `has(c.resources.limits) ? c.resources.limits : {}].exists(r, r.exists(name, name.startsWith('nvidia.com/'))))`;

/** CEL: an outage of ours must touch no pod without a GPU. */
const ASKS_FOR_GPU = `${ASKS('object.spec.containers')} || (has(object.spec.initContainers) && ${ASKS('object.spec.initContainers')})`;

export function webhookConfiguration({
  clientConfig,
  caBundle,
  exemptNamespaces,
  namespaceSelector = {},
  failurePolicy = 'Ignore',
  timeoutSeconds = 3,
}: WebhookConfigurationOptions) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: WEBHOOK_NAME },
    webhooks: [
      {
        name: HOOK_NAME,
        admissionReviewVersions: ['v1'],
        clientConfig: { ...clientConfig, caBundle: Buffer.from(caBundle).toString('base64') },
        rules: [
          { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: 'Namespaced' },
        ],
        namespaceSelector: {
          ...namespaceSelector,
          matchExpressions: [
            ...(namespaceSelector.matchExpressions ?? []),
            {
              key: 'kubernetes.io/metadata.name',
              operator: 'NotIn',
              values: [...new Set([SYSTEM_NAMESPACE, ...exemptNamespaces])],
            },
          ],
        },
        matchConditions: [{ name: 'asks-for-gpu', expression: ASKS_FOR_GPU }],
        failurePolicy,
        sideEffects: 'None',
        reinvocationPolicy: 'IfNeeded',
        timeoutSeconds,
      },
    ],
  };
}

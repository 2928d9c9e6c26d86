/** The kinds of objects that `doctor` reads: where the API server has them, and how each is read. */

import type { z } from 'zod';
import { NODE_CONFIGS, SHARING_POLICIES } from '../../api/custom-resources.ts';
import { API_GROUP, QUEUES, SCHEDULER_NAME } from '../../api/keys.ts';
import { clusterQueueSchema } from '../../api/queues.ts';
import { workloadResourceSchema } from '../../api/workload-resource.ts';
import {
  configMapSchema,
  definitionSchema,
  endpointSliceSchema,
  type Kind,
  leaseSchema,
  type Named,
  type Observations,
  SERVICE_LABEL,
  serviceSchema,
  webhookConfigurationSchema,
} from './observations.ts';

/** What must be known before some kinds can be asked for. */
export interface Place {
  readonly systemNamespace: string;
  /** Services by which the API server reaches our webhook. */
  readonly webhookServices: readonly Named[];
}

/** Nodes and the clock are not read by a schema of their own. */
export type ObjectKind = Exclude<Kind, 'nodes' | 'clock'>;

export interface KindInfo<T> {
  /** For people: `DaemonSets`. */
  readonly title: string;
  /** As a manifest has them. */
  readonly group: string;
  readonly kind: string;
  /** Paths of lists; the first that is served counts, the newest version comes first. */
  readonly lists?: readonly string[];
  /** Paths of single objects, or of lists so short that they are one page. */
  readonly objects?: (place: Place) => readonly string[];
  /** Names of those that count; all if absent. */
  readonly names?: readonly string[];
  readonly schema: z.ZodType<T | T[]>;
}

/** Of Kueue's installation. Source: Kueue's chart and manifests. */
const KUEUE = { namespace: 'kueue-system', name: 'kueue-manager-config' };
/** Written by cluster-autoscaler wherever it runs, managed clusters included. Source: its FAQ. */
const AUTOSCALER_STATUS = { namespace: 'kube-system', name: 'cluster-autoscaler-status' };

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
export const KARPENTER_DEFINITION = 'nodepools.karpenter.sh';

export const KINDS: { readonly [K in ObjectKind]: KindInfo<Observations[K][number]> } = {
  daemonSets: {
    title: 'DaemonSets',
    group: 'apps',
    kind: 'DaemonSet',
    lists: ['/apis/apps/v1/daemonsets'],
    schema: workloadResourceSchema,
  },
  deployments: {
    title: 'Deployments',
    group: 'apps',
    kind: 'Deployment',
    lists: ['/apis/apps/v1/deployments'],
    schema: workloadResourceSchema,
  },
  clusterQueues: {
    title: 'ClusterQueues',
    group: 'kueue.x-k8s.io',
    kind: 'ClusterQueue',
    lists: QUEUES.clusterQueues,
    schema: clusterQueueSchema,
  },
  kueueConfiguration: {
    title: `ConfigMap ${KUEUE.namespace}/${KUEUE.name}`,
    group: '',
    kind: 'ConfigMap',
    objects: () => [configMapPath(KUEUE)],
    names: [KUEUE.name],
    schema: configMapSchema,
  },
  autoscalerStatus: {
    title: `ConfigMap ${AUTOSCALER_STATUS.namespace}/${AUTOSCALER_STATUS.name}`,
    group: '',
    kind: 'ConfigMap',
    objects: () => [configMapPath(AUTOSCALER_STATUS)],
    names: [AUTOSCALER_STATUS.name],
    schema: configMapSchema,
  },
  webhooks: {
    title: 'MutatingWebhookConfigurations',
    group: 'admissionregistration.k8s.io',
    kind: 'MutatingWebhookConfiguration',
    lists: ['/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'],
    schema: webhookConfigurationSchema,
  },
  services: {
    title: 'Services',
    group: '',
    kind: 'Service',
    objects: ({ webhookServices }) =>
      webhookServices.map(({ namespace, name }) => `/api/v1/namespaces/${namespace}/services/${name}`),
    schema: serviceSchema,
  },
  endpointSlices: {
    title: 'EndpointSlices',
    group: 'discovery.k8s.io',
    kind: 'EndpointSlice',
    objects: ({ webhookServices }) =>
      webhookServices.map(({ namespace, name }) => {
        const query = new URLSearchParams({ labelSelector: `${SERVICE_LABEL}=${name}` });
        return `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${query}`;
      }),
    schema: endpointSliceSchema,
  },
  definitions: {
    title: 'CustomResourceDefinitions',
    group: 'apiextensions.k8s.io',
    kind: 'CustomResourceDefinition',
    objects: () =>
      [...[SHARING_POLICIES, NODE_CONFIGS].map(({ plural }) => `${plural}.${API_GROUP}`), KARPENTER_DEFINITION].map(
        (name) => `${DEFINITIONS}/${name}`,
      ),
    schema: definitionSchema,
  },
  leases: {
    title: 'Leases',
    group: 'coordination.k8s.io',
    kind: 'Lease',
    objects: ({ systemNamespace }) => [
      `/apis/coordination.k8s.io/v1/namespaces/${systemNamespace}/leases/${SCHEDULER_NAME}`,
    ],
    schema: leaseSchema,
  },
};

/** What the kind is called in a report. */
export function titleOf(kind: Kind): string {
  if (kind === 'nodes') return 'Nodes';
  if (kind === 'clock') return "the API server's clock";
  return KINDS[kind].title;
}

function configMapPath({ namespace, name }: Named): string {
  return `/api/v1/namespaces/${namespace}/configmaps/${name}`;
}

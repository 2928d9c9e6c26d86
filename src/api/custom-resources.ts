/**
 * Our CustomResourceDefinitions, made from the schemas. `npm run generate` writes them into the chart;
 * the API server checks every object against them.
 */

import { z } from 'zod';
import { API_GROUP, API_VERSION } from './keys.ts';
import { nodeConfigSpec, nodeConfigStatusSchema } from './node-config.ts';
import { sharingPolicySpec, sharingPolicyStatusSchema } from './sharing-policy.ts';

interface CustomResource {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly description: string;
  readonly spec: z.ZodType;
  readonly status: z.ZodType;
  /** What `kubectl get` shows besides name and age. */
  readonly columns: readonly Column[];
}

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean';
  readonly jsonPath: string;
  readonly description: string;
}

export const SHARING_POLICIES: CustomResource = {
  kind: 'GPUSharingPolicy',
  plural: 'gpusharingpolicies',
  shortName: 'gsp',
  description: 'GPUSharingPolicy says which pods share GPUs, and how. The admission webhook reads it.',
  spec: sharingPolicySpec.describe('What is wanted.'),
  status: sharingPolicyStatusSchema.describe('What has come of it.'),
  columns: [
    { name: 'Strategy', type: 'string', jsonPath: '.spec.strategy', description: 'How the pods share.' },
    { name: 'Priority', type: 'integer', jsonPath: '.spec.priority', description: 'The highest one governs a pod.' },
    { name: 'AppliedPods', type: 'integer', jsonPath: '.status.appliedPods', description: 'Pods that it governs.' },
  ],
};

export const NODE_CONFIGS: CustomResource = {
  kind: 'GPUNodeConfig',
  plural: 'gpunodeconfigs',
  shortName: 'gnc',
  description: 'GPUNodeConfig says how the GPUs of one node are to be shared.',
  spec: nodeConfigSpec.describe('What is wanted.'),
  status: nodeConfigStatusSchema.describe('What has come of it.'),
  columns: [
    { name: 'Node', type: 'string', jsonPath: '.spec.nodeName', description: 'The node.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'How far the configuration is.' },
    { name: 'MIG', type: 'boolean', jsonPath: '.spec.migEnabled', description: 'Whether MIG is wanted.' },
    { name: 'MPS', type: 'boolean', jsonPath: '.spec.mpsEnabled', description: 'Whether MPS is wanted.' },
    {
      name: 'TimeSlicing',
      type: 'boolean',
      jsonPath: '.spec.timeSlicingEnabled',
      description: 'Whether time-slicing is wanted.',
    },
  ],
};

const AGE = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** The `apiextensions.k8s.io/v1` object that makes an API server serve the resource. */
export function definitionOf(resource: CustomResource): object {
  const { kind, plural, shortName, columns } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      scope: 'Cluster',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ['gpu-autoscaler'],
      },
      versions: [
        {
          name: API_VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: [...columns, AGE],
          schema: { openAPIV3Schema: schemaOf(resource) },
        },
      ],
    },
  };
}

function schemaOf({ description, spec, status }: CustomResource): object {
  return {
    description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: openApi(spec),
      status: openApi(status),
    },
  };
}

/** As users write it, before defaults are filled in. */
function openApi(schema: z.ZodType): object {
  return z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ jsonSchema }) => {
      // The API server checks the format; the pattern says the same in a page of text.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
    },
  });
}

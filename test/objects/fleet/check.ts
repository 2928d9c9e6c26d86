/** Whether a pod has become what its workload says, wherever the pod comes from: `decide`, or an API server. */

import type { Test } from 'tap';
import { z } from 'zod';
import { WRITTEN } from '#src/api/keys.ts';
import type { Becomes } from './workload.ts';

const podSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }),
  spec: z.object({
    containers: z.tuple(
      [
        z.object({
          resources: z.object({ limits: z.record(z.string(), z.unknown()) }),
          env: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]),
        }),
      ],
      z.unknown(),
    ),
  }),
});

/** @param warnings to the author, as one text */
export function checkPod(t: Test, name: string, object: unknown, becomes: Becomes, warnings: string): void {
  const { metadata, spec } = podSchema.parse(object);
  const { annotations } = metadata;
  const [{ resources, env }] = spec.containers;
  t.same(
    Object.keys(resources.limits).filter((resource) => resource.startsWith('nvidia.com/')),
    [becomes.resource],
    `${name}: what it asks for`,
  );
  t.equal(annotations[WRITTEN.strategy], becomes.strategy, `${name}: strategy`);
  if (becomes.trail) t.match(annotations[WRITTEN.reason], becomes.trail, `${name}: trail`);
  if (becomes.warning) t.match(warnings, becomes.warning, `${name}: warning`);
  else t.equal(warnings, '', `${name}: no warning`);
  if (becomes.env) {
    const limits = env.filter((variable) => variable.name.startsWith('CUDA_MPS_'));
    t.same(Object.fromEntries(limits.map(({ name, value }) => [name, value])), becomes.env, `${name}: environment`);
  }
}

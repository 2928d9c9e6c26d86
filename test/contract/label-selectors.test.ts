/** Our label selectors select what those of the real API server do. */

import tap from 'tap';
import { z } from 'zod';
import { type LabelSelector, type Labels, matches, type Requirement } from '#src/core/label-selector.ts';
import { clusterFor } from '../cluster/for-test.ts';
import { createPod } from '../cluster/pods.ts';
import { gpuPod } from '../objects/pods.ts';

const PODS: Readonly<Record<string, Labels>> = {
  bare: {},
  web: { app: 'web' },
  'web-gpu': { app: 'web', tier: 'gpu' },
  db: { app: 'db', tier: '' },
  empty: { app: '' },
  prefixed: { 'gpu-autoscaler.io/workload-type': 'inference', app: 'Web' },
  numbers: { app: '10', tier: 'gpu' },
};

const is = (key: string, operator: Requirement['operator'], ...values: string[]): Requirement => {
  return { key, operator, values };
};

const SELECTORS: readonly LabelSelector[] = [
  [],
  [is('app', 'In', 'web')],
  [is('app', 'In', 'web', 'db')],
  [is('app', 'In', 'nobody')],
  [is('app', 'In', '')],
  [is('app', 'In', '', 'web')],
  [is('app', 'NotIn', 'web')],
  [is('app', 'NotIn', 'web', 'db')],
  [is('app', 'NotIn', '')],
  [is('nobody', 'NotIn', 'web')],
  [is('app', 'Exists')],
  [is('tier', 'Exists')],
  [is('nobody', 'Exists')],
  [is('app', 'DoesNotExist')],
  [is('tier', 'DoesNotExist')],
  [is('nobody', 'DoesNotExist')],
  [is('app', 'In', 'web'), is('tier', 'Exists')],
  [is('app', 'In', 'web'), is('tier', 'DoesNotExist')],
  [is('app', 'Exists'), is('app', 'NotIn', 'web')],
  [is('app', 'In', 'web'), is('app', 'In', 'db')],
  [is('app', 'Exists'), is('app', 'DoesNotExist')],
  [is('gpu-autoscaler.io/workload-type', 'In', 'inference', 'serving')],
  [is('gpu-autoscaler.io/workload-type', 'DoesNotExist'), is('tier', 'NotIn', 'gpu')],
  [is('app', 'In', 'Web')],
  // Of node affinity; the API server takes them of labels as well.
  [is('app', 'Gt', '9')],
  [is('app', 'Lt', '11')],
  [is('app', 'Gt', '10')],
  [is('tier', 'Gt', '0')],
];

/** As kubectl's `--selector` has it. */
function text(selector: LabelSelector): string {
  const forms: Readonly<Record<Requirement['operator'], (key: string, values: string) => string>> = {
    In: (key, values) => `${key} in (${values})`,
    NotIn: (key, values) => `${key} notin (${values})`,
    Exists: (key) => key,
    DoesNotExist: (key) => `!${key}`,
    Gt: (key, values) => `${key}>${values}`,
    Lt: (key, values) => `${key}<${values}`,
  };
  return selector.map(({ key, operator, values }) => forms[operator](key, values.join())).join();
}

const listSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

tap.test('each selector selects the same pods', async (t) => {
  const cluster = await clusterFor(t);
  if (!cluster) return;
  const { client } = cluster;
  for (const [name, labels] of Object.entries(PODS)) await createPod(client, gpuPod({ name, labels }));
  for (const selector of SELECTORS) {
    const query = new URLSearchParams({ labelSelector: text(selector) });
    const { items } = listSchema.parse(await client.json('GET', `/api/v1/pods?${query}`));
    const ours = Object.entries(PODS).filter(([, labels]) => matches(selector, labels));
    t.strictSame(
      ours.map(([name]) => name).sort(),
      items.map(({ metadata }) => metadata.name).sort(),
      text(selector) || 'everything',
    );
  }
});

/** Names that users see. They stand in the specification and in people's manifests: none of them may change. */

import tap from 'tap';
import * as keys from '#src/api/keys.ts';

tap.test('annotations that users write', async (t) => {
  t.strictSame(Object.values(keys.READ).sort(), [
    'gpu-autoscaler.io/gpu-fraction',
    'gpu-autoscaler.io/gpu-memory',
    'gpu-autoscaler.io/mig-enabled',
    'gpu-autoscaler.io/mig-profile',
    'gpu-autoscaler.io/mps-enabled',
    'gpu-autoscaler.io/optimize',
    'gpu-autoscaler.io/sharing',
    'gpu-autoscaler.io/sharing-mode',
    'gpu-autoscaler.io/time-slicing-enabled',
  ]);
});

tap.test('labels that users write', async (t) => {
  t.strictSame(Object.values(keys.LABELS).sort(), [
    'gpu-autoscaler.io/memory-requirement',
    'gpu-autoscaler.io/workload-type',
  ]);
});

tap.test('annotations that we write', async (t) => {
  t.strictSame(Object.values(keys.WRITTEN).sort(), [
    'gpu-autoscaler.io/allocation',
    'gpu-autoscaler.io/optimization-reason',
    'gpu-autoscaler.io/optimization-strategy',
    'gpu-autoscaler.io/optimization-timestamp',
    'gpu-autoscaler.io/optimized',
    'gpu-autoscaler.io/original-gpu-request',
    'gpu-autoscaler.io/policy',
    'gpu-autoscaler.io/second-look',
  ]);
});

tap.test('objects of an installation', async (t) => {
  t.equal(keys.SCHEDULER_NAME, 'gpu-autoscaler-scheduler');
  t.equal(keys.SYSTEM_NAMESPACE, 'gpu-autoscaler-system');
  t.equal(keys.WEBHOOK_NAME, 'gpu-autoscaler-webhook');
  t.equal(keys.WEBHOOK_PATH, '/mutate-v1-pod');
});

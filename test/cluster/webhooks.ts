/** Replicas of the webhook in this process that keep their certificates themselves, behind one address. */

import { join } from 'node:path';
import { type RunningWebhook, startWebhook } from '#src/app/webhook.ts';
import { systemClock } from '#src/kube/clock.ts';
import { createLogger } from '#src/telemetry/logger.ts';
import type { ManagedCertificates } from '#src/webhook/certificates/managed.ts';
import type { Policy } from '#src/webhook/certificates/plan.ts';
import type { Cluster } from './start.ts';

export const EXEMPT = ['kube-system', 'gpu-autoscaler-system'];

/** So short that a test sees every step, and long enough that a busy machine renews in time; all in ms. */
export const HASTY: Policy = { leafMs: 15_000, authorityMs: 30_000, settleMs: 1_000, retainMs: 1_500, pollMs: 100 };

export async function startReplica(
  { kubeConfig, dir }: Pick<Cluster, 'kubeConfig' | 'dir'>,
  certificates: ManagedCertificates,
): Promise<RunningWebhook> {
  return startWebhook({
    kubeConfig,
    host: '127.0.0.1',
    port: 0,
    certificates: { from: 'secret', ...certificates },
    namespace: 'gpu-autoscaler-system',
    schedulerName: 'gpu-autoscaler-scheduler',
    log: createLogger('webhook', 'debug', join(dir, 'logs', 'webhook.log')),
    random: Math.random,
    clock: systemClock,
  });
}

/** Registered by ourselves, to be called at `url`. */
export function managedAt(
  url: string,
  policy: Partial<Policy>,
  failurePolicy: 'Ignore' | 'Fail' = 'Ignore',
): ManagedCertificates {
  return {
    namespace: 'default',
    serviceName: 'gpu-autoscaler-webhook',
    extraNames: ['127.0.0.1'],
    policy,
    owned: {
      clientConfig: { url: `${url}/mutate-v1-pod` },
      exemptNamespaces: EXEMPT,
      failurePolicy,
      // Tests of closed failure are of trust, not of time: a machine that runs others may stand still for seconds.
      ...(failurePolicy === 'Fail' && { timeoutSeconds: 15 }),
    },
  };
}

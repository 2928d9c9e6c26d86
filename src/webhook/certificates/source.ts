/** Where the certificate comes from: files that others keep, or a Secret that we keep ourselves. */

import type { Registry } from 'prom-client';
import type { Clock } from '../../kube/clock.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { CertificateManager } from './certificate-manager.ts';
import { type CertificateFiles, FileCertificateManager } from './files.ts';
import { ManagedCertificateManager, type ManagedCertificates } from './managed.ts';
import { certificateMetrics, registrationMetrics } from './metrics.ts';

export type CertificateSource =
  | ({ readonly from: 'files' } & CertificateFiles)
  | ({ readonly from: 'secret' } & ManagedCertificates);

export interface CertificateManagerDependencies {
  readonly client: KubeClient;
  readonly registry: Registry;
  readonly log: Logger;
  readonly random: () => number;
  readonly clock: Clock;
}

/** @throws CertificateSettingsError */
export async function createCertificateManager(
  source: CertificateSource,
  dependencies: CertificateManagerDependencies,
): Promise<CertificateManager> {
  const { client, registry } = dependencies;
  const metrics = certificateMetrics(registry);
  if (source.from === 'files') return new FileCertificateManager({ ...source, ...dependencies, metrics });
  const { registered } = registrationMetrics(registry);
  const time = (signal: AbortSignal) => serverTime(client, signal);
  return ManagedCertificateManager.create({ ...source, ...dependencies, metrics, registered, time });
}

/** The API server's clock: replicas whose own clocks differ must not renew what the other one has just made. */
async function serverTime(client: KubeClient, signal: AbortSignal): Promise<Date> {
  const reply = await client.stream('GET', '/version', { signal });
  reply.resume();
  const time = new Date(reply.headers.date ?? '');
  if (Number.isNaN(time.getTime())) throw new Error('the API server sends no valid Date');
  return time;
}

/** Metrics of certificates and of our registration. Names are a public contract (docs/reference/metrics.md). */

import { Counter, Gauge, type Registry } from 'prom-client';

/** The certificate that the webhook serves, from any source. */
export function certificateMetrics(registry: Registry) {
  return {
    notAfter: new Gauge({
      name: 'gpu_autoscaler_webhook_certificate_not_after_timestamp_seconds',
      help: 'When the serving certificate expires, in Unix time; 0 while there is none.',
      registers: [registry],
    }),
    rotations: new Counter({
      name: 'gpu_autoscaler_webhook_certificate_rotations_total',
      help: 'Changes of certificates: stored (by us), lost (another replica was quicker), taken (served), or failed.',
      labelNames: ['result'] as const,
      registers: [registry],
    }),
  };
}
export type CertificateMetrics = ReturnType<typeof certificateMetrics>;

/** The registration, where we write whom the API server trusts. */
export function registrationMetrics(registry: Registry) {
  return {
    registered: new Gauge({
      name: 'gpu_autoscaler_webhook_registered',
      help: '1 while the MutatingWebhookConfiguration is there and trusts the certificate that is served.',
      registers: [registry],
    }),
  };
}

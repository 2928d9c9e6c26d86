/** What operators may set, as one schema: flags are checked here, and defaults stand here alone. */

import { z } from 'zod';
import { strategyByName, strategyNames } from '../core/strategies/registry.ts';
import { LOG_LEVELS } from './configuration.ts';
import { SCHEDULER_NAME, WEBHOOK_NAME } from './keys.ts';

const port = z
  .union([z.string(), z.number()])
  .refine((text) => /^\d{1,5}$/.test(String(text)) && Number(text) <= 65_535, {
    error: ({ input }) => `${JSON.stringify(input)} is not a port, 0 to 65535`,
  })
  .transform(Number);

/** Of namespaces and Services. */
const label = (what: string) =>
  z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
    error: ({ input }) => `${JSON.stringify(input)} is not the name of a ${what}`,
  });

const httpsUrl = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:', {
    error: ({ input }) => `${JSON.stringify(input)} is not an https:// URL`,
  })
  .transform((text) => new URL(text));

export const commonSettingsSchema = z.object({
  /** Path of a kubeconfig; else KUBECONFIG, ~/.kube/config, or the pod's service account. */
  kubeconfig: z.string().optional(),
  /** Path of the configuration file. */
  config: z.string().optional(),
  logLevel: z
    .enum(LOG_LEVELS, { error: ({ input }) => `${JSON.stringify(input)} is not one of ${LOG_LEVELS.join(', ')}` })
    .default('info'),
});

export const extenderSettingsSchema = z.object({
  /** The extender has no authentication: it belongs on localhost, beside its kube-scheduler. */
  extenderHost: z.string().default('127.0.0.1'),
  extenderPort: port.default(8888),
  /** Whether filter names the best node alone where nobody but the strategy has a say. */
  narrowing: z
    .enum(['on', 'off'], { error: ({ input }) => `${JSON.stringify(input)} is not on or off` })
    .transform((word) => word === 'on')
    .optional(),
  leaseNamespace: label('namespace').default('kube-system'),
  /** Seconds between two comparisons of the ledger with the API server; 0 for none. */
  compareInterval: z
    .string()
    .default('60')
    .refine((text) => /^\d{1,6}$/.test(text), {
      error: ({ input }) => `${JSON.stringify(input)} is no number of seconds`,
    })
    .transform(Number),
  /** Instead of the configuration's. */
  strategy: z
    .string()
    .transform((name, context) => {
      const strategy = strategyByName(name);
      if (strategy) return strategy;
      context.addIssue({
        code: 'custom',
        message: `${JSON.stringify(name)} is not one of ${strategyNames.join(', ')}`,
      });
      return z.NEVER;
    })
    .optional(),
});

export const webhookSettingsSchema = z.object({
  webhookHost: z.string().default('0.0.0.0'),
  webhookPort: port.default(8443),
  /** Whether the certificate is kept by us, in a Secret, or by others, in files; files if one is named. */
  certificates: z
    .enum(['self', 'files'], { error: ({ input }) => `${JSON.stringify(input)} is not self or files` })
    .optional(),
  /** PEM files; default below /etc/gpu-autoscaler/tls. */
  tlsCertFile: z.string().optional(),
  tlsKeyFile: z.string().optional(),
  /** Of the Secret and the Service; default: the pod's own. */
  namespace: label('namespace').optional(),
  serviceName: label('Service').default(WEBHOOK_NAME),
  /** Where the API server finds us outside of a cluster; then we register ourselves. */
  registerUrl: httpsUrl.optional(),
  schedulerName: z.string().min(1).default(SCHEDULER_NAME),
});

export const controllerSettingsSchema = z.object({
  controllerHost: z.string().default('0.0.0.0'),
  controllerPort: port.default(8080),
  leaseNamespace: label('namespace').default('kube-system'),
  schedulerName: z.string().min(1).default(SCHEDULER_NAME),
  namespace: label('namespace').optional(),
});

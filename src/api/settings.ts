/**
 * What operators may set on the command line, as one schema for each role: flags, their help, the table in
 * `docs/reference/cli.md` and the checks all come from here, and defaults stand here alone.
 */

import { z } from 'zod';
import { strategyByName, strategyNames } from '../core/strategies/registry.ts';
import { LOG_LEVELS } from './configuration.ts';
import { SCHEDULER_NAME, SYSTEM_NAMESPACE, WEBHOOK_NAME } from './keys.ts';

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

const oneOf = <const Words extends readonly string[]>(words: Words, text: string) =>
  z.enum(words, { error: ({ input }) => `${JSON.stringify(input)} is not ${text}` });

/** Beside its schema, each setting says what its value is called, and what it is for. */
interface SettingMeta {
  readonly placeholder: string;
  /** For `--help`; names the default. */
  readonly description: string;
}

const described = <Schema extends z.ZodType>(schema: Schema, placeholder: string, description: string): Schema =>
  schema.meta({ placeholder, description } satisfies SettingMeta);

export const commonSettingsSchema = z.object({
  kubeconfig: described(
    z.string().optional(),
    'file',
    "kubeconfig (default: KUBECONFIG, ~/.kube/config, or the pod's service account)",
  ),
  config: described(
    z.string().optional(),
    'file',
    'configuration, YAML: binPacking, sharing, admissionWebhook, reconciler; read again when it changes',
  ),
  logLevel: described(
    oneOf(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`).default('info'),
    'level',
    'fatal, error, warn, info, debug, trace or silent (default: info)',
  ),
});

const leaseNamespace = described(
  label('namespace').default('kube-system'),
  'name',
  'namespace of the Leases that only one extender and one controller of a cluster hold (default: kube-system)',
);
const schedulerName = described(
  z.string().min(1).default(SCHEDULER_NAME),
  'name',
  `scheduler that optimized pods get (default: ${SCHEDULER_NAME})`,
);
const namespace = described(
  label('namespace').optional(),
  'name',
  `where it is installed, always exempt (default: the pod's own, or ${SYSTEM_NAMESPACE})`,
);

export const extenderSettingsSchema = z.object({
  extenderHost: described(
    z.string().default('127.0.0.1'),
    'address',
    'address to listen on (default: 127.0.0.1; it has no authentication)',
  ),
  extenderPort: described(port.default(8888), 'port', 'port to listen on, 0 for any free one (default: 8888)'),
  strategy: described(
    z
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
    'name',
    `${strategyNames.join(', ')}, instead of the configuration's (default: bestfit)`,
  ),
  narrowing: described(
    oneOf(['on', 'off'], 'on or off')
      .transform((word) => word === 'on')
      .optional(),
    'on|off',
    'name the best node alone where no other plugin has a say, instead of the configuration (default: on)',
  ),
  compareInterval: described(
    z
      .string()
      .default('60')
      .refine((text) => /^\d{1,6}$/.test(text), {
        error: ({ input }) => `${JSON.stringify(input)} is no number of seconds`,
      })
      .transform(Number),
    'seconds',
    'how often the ledger is compared with the API server (default: 60; 0: never)',
  ),
  leaseNamespace,
});

export const webhookSettingsSchema = z.object({
  webhookHost: described(z.string().default('0.0.0.0'), 'address', 'address to listen on (default: 0.0.0.0)'),
  webhookPort: described(port.default(8443), 'port', 'port to listen on (default: 8443)'),
  certificates: described(
    oneOf(['self', 'files'], 'self or files').optional(),
    'self|files',
    'keep the certificate ourselves, in a Secret, or read files (default: self, or files if one is named)',
  ),
  tlsCertFile: described(
    z.string().optional(),
    'file',
    'certificate, PEM (default: /etc/gpu-autoscaler/tls/tls.crt); read again when it changes',
  ),
  tlsKeyFile: described(z.string().optional(), 'file', 'its key, PEM (default: /etc/gpu-autoscaler/tls/tls.key)'),
  serviceName: described(
    label('Service').default(WEBHOOK_NAME),
    'name',
    `Service that the certificate is for (default: ${WEBHOOK_NAME})`,
  ),
  registerUrl: described(
    httpsUrl.optional(),
    'url',
    'outside of a cluster: register with the API server, to be called at this URL',
  ),
  schedulerName,
  namespace,
});

export const controllerSettingsSchema = z.object({
  controllerHost: described(z.string().default('0.0.0.0'), 'address', 'address of its metrics (default: 0.0.0.0)'),
  controllerPort: described(port.default(8080), 'port', 'port of its metrics (default: 8080)'),
  leaseNamespace,
  schedulerName,
  namespace,
});

/** A flag of the command line. */
export interface Flag {
  /** The setting: `tlsCertFile`. */
  readonly key: string;
  /** `--tls-cert-file` */
  readonly name: string;
  /** What its value is called: `file`. */
  readonly placeholder: string;
  readonly description: string;
}

/** The flags of a role's settings. */
export function flagsOf({ shape }: z.ZodObject): Flag[] {
  return Object.entries(shape).map(([key, schema]) => {
    const { placeholder, description } = (schema as z.ZodType).meta() as unknown as SettingMeta;
    return { key, name: flagName(key), placeholder, description };
  });
}

/** `tlsCertFile` → `--tls-cert-file` */
export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

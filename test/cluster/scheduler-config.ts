/** The shipped configuration of the secondary scheduler, with the addresses of a test cluster filled in. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';

const SHIPPED = resolve(import.meta.dirname, '../../scheduler-config/kube-scheduler-config.yaml');

const configSchema = z.looseObject({
  clientConnection: z.looseObject({ kubeconfig: z.string() }),
  extenders: z.tuple([
    z.looseObject({ urlPrefix: z.string(), managedResources: z.array(z.object({ name: z.string() })) }),
  ]),
});
export type ShippedConfig = z.infer<typeof configSchema>;

export function shippedConfig(): ShippedConfig {
  return configSchema.parse(parse(readFileSync(SHIPPED, 'utf8')));
}

export interface Addresses {
  readonly kubeconfigFile: string;
  /** Without it, Kubernetes's own defaults. */
  readonly extenderUrl?: string | undefined;
}

/** YAML for `kube-scheduler --config`. */
export function schedulerConfig({ kubeconfigFile, extenderUrl }: Addresses): string {
  if (extenderUrl === undefined) {
    return stringify({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      clientConnection: { kubeconfig: kubeconfigFile, qps: 500, burst: 1000 },
    });
  }
  const config = shippedConfig();
  config.clientConnection.kubeconfig = kubeconfigFile;
  config.extenders[0].urlPrefix = extenderUrl;
  return stringify(config);
}

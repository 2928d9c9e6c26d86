/** The shipped configuration of the secondary scheduler, with what a test cluster has of its own filled in. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';

const SHIPPED = resolve(import.meta.dirname, '../../scheduler-config/kube-scheduler-config.yaml');

const configSchema = z.looseObject({
  clientConnection: z.looseObject({ kubeconfig: z.string() }),
  leaderElection: z.looseObject({ leaderElect: z.boolean(), resourceName: z.string(), resourceNamespace: z.string() }),
  extenders: z.tuple([
    z.looseObject({ urlPrefix: z.string(), managedResources: z.array(z.object({ name: z.string() })) }),
  ]),
});
export type ShippedConfig = z.infer<typeof configSchema>;

export function shippedConfig(): ShippedConfig {
  return configSchema.parse(parse(readFileSync(SHIPPED, 'utf8')));
}

export interface Local {
  readonly kubeconfigFile: string;
  /** Without it, Kubernetes's own defaults. */
  readonly extenderUrl?: string | undefined;
  readonly leaderElection: boolean;
  /** The last word on the shipped configuration. */
  readonly edit?: ((config: ShippedConfig) => object) | undefined;
}

/** A leader that is gone is missed soon; the defaults are 15 s, 10 s and 2 s. */
const HASTE = { leaseDuration: '3s', renewDeadline: '2s', retryPeriod: '500ms' };

/** YAML for `kube-scheduler --config`. */
export function schedulerConfig({
  kubeconfigFile,
  extenderUrl,
  leaderElection,
  edit = (config) => config,
}: Local): string {
  if (extenderUrl === undefined) {
    return stringify({
      apiVersion: 'kubescheduler.config.k8s.io/v1',
      kind: 'KubeSchedulerConfiguration',
      leaderElection: { leaderElect: leaderElection },
      clientConnection: { kubeconfig: kubeconfigFile, qps: 500, burst: 1000 },
    });
  }
  const config = shippedConfig();
  config.clientConnection.kubeconfig = kubeconfigFile;
  config.leaderElection = { ...config.leaderElection, ...HASTE, leaderElect: leaderElection };
  config.extenders[0].urlPrefix = extenderUrl;
  return stringify(edit(config));
}

/** The live cluster of a command that ends by itself, and the configuration that is installed there. */

import type { KubeConfig } from '@kubernetes/client-node';
import { type Configuration, configurationSchema } from '../api/configuration.ts';
import { parseConfiguration } from '../api/configuration-file.ts';
import { CONFIG_MAP } from '../api/keys.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { readText, say } from './input.ts';
import { InputError } from './input-error.ts';

/** Reads a kubeconfig; that of the environment where none is named. */
export type ReadKubeConfig = (file: string | undefined) => Promise<KubeConfig>;

/**
 * The client of the cluster that the kubeconfig names.
 * @throws InputError: without a word of a cluster there is most likely none at hand
 */
export async function clientOf(file: string | undefined, kubeConfig: ReadKubeConfig): Promise<KubeClient> {
  try {
    return new KubeClient(await kubeConfig(file));
  } catch (error) {
    const { message } = error as Error;
    throw new InputError(`${message}\n(without a live cluster: --snapshot FILE)`, { cause: error });
  }
}

export interface ConfigurationPlace {
  /** `--config`; it wins. */
  readonly file: string | undefined;
  readonly systemNamespace: string;
  /** Text of the ConfigMap that is installed; undefined if it cannot be seen. */
  readonly installed: string | undefined;
  /** Whether there is a cluster, or an image of one, in which the ConfigMap would be. */
  readonly expected: boolean;
}

/**
 * The configuration that holds; the defaults where none is to be seen, which is said.
 * @throws InputError with the place of each fault
 */
export function configurationOf({ file, systemNamespace, installed, expected }: ConfigurationPlace): Configuration {
  const name = file ?? `ConfigMap ${systemNamespace}/${CONFIG_MAP.name}`;
  const text = file === undefined ? installed : readText(file);
  if (text === undefined) {
    if (expected) say(`there is no ${name} to be seen: the defaults hold (--config FILE for others)`);
    return configurationSchema.parse({});
  }
  const parsed = parseConfiguration(text, name);
  if (!parsed.ok) throw new InputError(parsed.faults.join('\n'));
  return parsed.configuration;
}

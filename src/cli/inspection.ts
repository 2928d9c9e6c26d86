/** What commands that inspect a cluster have in common: it is live, or in files. */

import type { Configuration } from '../api/configuration.ts';
import { type KubeClient, KubeError } from '../kube/kube-client.ts';
import { configurationOf } from './cluster-access.ts';
import { configurationIn, installedConfiguration } from './decide/cluster.ts';
import { type Manifest, readManifests } from './decide/manifests.ts';
import { sourcesOf } from './input.ts';
import { InputError } from './input-error.ts';

export interface ConfigurationFlags {
  /** File; wins over what is installed. */
  readonly config?: string;
  readonly systemNamespace: string;
}

/**
 * Looks at a live cluster, and lets go of it.
 * @throws InputError for a cluster that cannot be asked: exit code 1 is for what was found
 */
export async function lookAt<T>(client: KubeClient, look: () => Promise<T>): Promise<T> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof KubeError) throw new InputError(error.message, { cause: error });
    throw error;
  } finally {
    client.close();
  }
}

/** All manifests of a snapshot in several files. @throws InputError */
export async function manifestsOf(files: readonly string[]): Promise<Manifest[]> {
  if (files.filter((file) => file === '-').length > 1) throw new InputError('standard input (-) can be read only once');
  const sources = (await Promise.all(files.map(sourcesOf))).flat();
  return sources.flatMap(({ name, text }) => readManifests(name, text));
}

/** The configuration of a live cluster, as far as no file says another. @throws InputError, KubeError */
export async function liveConfiguration(client: KubeClient, flags: ConfigurationFlags): Promise<Configuration> {
  const { config: file, systemNamespace } = flags;
  const installed = file === undefined ? await installedConfiguration(client, systemNamespace) : undefined;
  return configurationOf({ file, systemNamespace, installed, expected: true });
}

/** The same of a snapshot. @throws InputError */
export function savedConfiguration(manifests: readonly Manifest[], flags: ConfigurationFlags): Configuration {
  const { config: file, systemNamespace } = flags;
  const installed = file === undefined ? configurationIn(manifests, systemNamespace) : undefined;
  return configurationOf({ file, systemNamespace, installed, expected: true });
}

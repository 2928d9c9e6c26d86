/**
 * Admission on a live cluster: the configuration file, nodes, namespaces and policies, each kept up to date. What the
 * webhook decides by, and the controller judges by.
 */

import { admissionConfigurationOf } from '../api/admission-settings.ts';
import type { Configuration } from '../api/configuration.ts';
import { CUSTOM_RESOURCES } from '../api/keys.ts';
import { ConfigurationWatch } from '../app/configuration-watch.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { Reflector } from '../kube/reflector.ts';
import { Reflectors } from '../kube/reflectors.ts';
import { AdmissionState } from './admission-state.ts';
import type { Feed } from './cluster-state.ts';
import type { AdmissionView, HistoryOf } from './evaluate-admission.ts';
import { fanOut } from './fan-out.ts';

export interface LiveAdmissionOptions {
  readonly client: KubeClient;
  /** Where we are installed: always exempt. */
  readonly namespace: string;
  readonly schedulerName: string;
  /** Of the configuration; the defaults hold without one. */
  readonly configurationFile: string | undefined;
  /** ms between two looks at it; default 5,000. */
  readonly configurationMs?: number | undefined;
  /** Told of the configuration at the start, and whenever it changes. */
  readonly configured: (configuration: Configuration) => void;
  /** A change of it has been taken, or cannot be used, and why. */
  readonly tell: (faults?: string) => void;
  readonly historyOf: HistoryOf;
  /** Told after each change of what decisions are made from; by default nobody is. */
  readonly changed?: () => void;
  /** Told of pods, which are not followed otherwise. */
  readonly pods?: Feed;
  /** Told of GPUNodeConfigs, which are not followed otherwise. */
  readonly nodeConfigs?: Feed;
  /** Told of policies and of nodes as well. */
  readonly policies?: Feed;
  readonly nodes?: Feed;
  readonly warn: (message: string, details: Record<string, unknown>) => void;
  readonly random: () => number;
}

export class LiveAdmission {
  readonly #options: LiveAdmissionOptions;
  readonly #state: AdmissionState;
  readonly #configuration: ConfigurationWatch;
  readonly #nodes: Reflector;
  readonly #reflectors: Reflectors;

  /** @throws ConfigurationError */
  constructor(options: LiveAdmissionOptions) {
    const { client, namespace, schedulerName, configurationFile, configurationMs, changed = () => {} } = options;
    const { pods, nodeConfigs, policies, nodes, warn, random, configured, tell } = options;
    this.#options = options;
    const settingsOf = (configuration: Configuration) =>
      admissionConfigurationOf(configuration, namespace, schedulerName);
    this.#configuration = new ConfigurationWatch({
      file: configurationFile,
      ...(configurationMs !== undefined && { everyMs: configurationMs }),
      changed: (configuration) => {
        if (this.#state.configure(settingsOf(configuration))) void this.#nodes.listAgain();
        configured(configuration);
        changed();
      },
      tell,
    });
    this.#state = new AdmissionState(settingsOf(this.#configuration.current), warn, changed);
    const reflect = (path: string, feed: Feed, optional = false) =>
      new Reflector({ client, path, ...feed, optional, random, log: warn });
    const policyFeed = policies ? fanOut(this.#state.policies, policies) : this.#state.policies;
    this.#nodes = reflect('/api/v1/nodes', nodes ? fanOut(this.#state.nodes, nodes) : this.#state.nodes);
    this.#reflectors = new Reflectors({
      nodes: this.#nodes,
      namespaces: reflect('/api/v1/namespaces', this.#state.namespaces),
      limitranges: reflect('/api/v1/limitranges', this.#state.limitRanges),
      resourcequotas: reflect('/api/v1/resourcequotas', this.#state.quotas),
      policies: reflect(CUSTOM_RESOURCES.policies, policyFeed, true),
      ...(pods && { pods: reflect('/api/v1/pods', pods) }),
      ...(nodeConfigs && { nodeconfigs: reflect(CUSTOM_RESOURCES.nodeConfigs, nodeConfigs, true) }),
    });
  }

  /** What a decision is made from, as of now. */
  view(): AdmissionView {
    return this.#state.view(this.#options.historyOf);
  }

  get configuration(): Configuration {
    return this.#configuration.current;
  }

  /** What has not been listed yet; undefined once everything has. */
  notReadyReason(): string | undefined {
    return this.#reflectors.notReadyReason();
  }

  start(): void {
    this.#reflectors.start();
    this.#configuration.start();
    this.#options.configured(this.#configuration.current);
  }

  /** Resolves once everything has been listed. */
  get synced(): Promise<void> {
    return this.#reflectors.synced;
  }

  /** Lists everything once more; resolves when all of it is in. */
  async listAgain(): Promise<void> {
    await this.#reflectors.listAgain();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#configuration.stop(), this.#reflectors.stop()]);
  }
}

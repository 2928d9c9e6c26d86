/**
 * All that roles have in common in one process: one client, one state of the cluster in which each kind of object is watched
 * once, one configuration, one registry of metrics.
 */

import type { KubeConfig } from '@kubernetes/client-node';
import type { Registry } from 'prom-client';
import { admissionConfigurationOf } from '../api/admission-settings.ts';
import type { Configuration } from '../api/configuration.ts';
import { CUSTOM_RESOURCES, DEVICE_CLASSES, QUEUES, SYSTEM_NAMESPACE } from '../api/keys.ts';
import type { Clock } from '../kube/clock.ts';
import { KubeClient } from '../kube/kube-client.ts';
import { Reflector } from '../kube/reflector.ts';
import { Reflectors } from '../kube/reflectors.ts';
import { AdmissionState } from '../state/admission-state.ts';
import { ClusterState } from '../state/cluster-state.ts';
import { RefusingNodes } from '../state/refusing-nodes.ts';
import { HistoryProvider } from '../telemetry/history/history-provider.ts';
import { historyMetrics } from '../telemetry/history/metrics.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createRegistry } from '../telemetry/registry.ts';
import { reloadReporter } from '../telemetry/reload-reporter.ts';
import { ConfigurationWatch } from './configuration-watch.ts';

/** Kinds of objects that are watched, in the words of `/readyz`. */
export type Kind =
  | 'nodes'
  | 'pods'
  | 'namespaces'
  | 'limitranges'
  | 'resourcequotas'
  | 'deviceclasses'
  | 'daemonsets'
  | 'localqueues'
  | 'clusterqueues'
  | 'policies'
  | 'nodeconfigs';

export interface RuntimeOptions {
  readonly kubeConfig: KubeConfig;
  /** Where we run ourselves: always exempt. */
  readonly namespace?: string;
  /** The scheduler that optimized pods get. */
  readonly schedulerName?: string;
  /** Path of the configuration; the defaults hold without one. */
  readonly configurationFile?: string;
  /** ms between two looks at it; default 5,000. */
  readonly configurationMs?: number;
  readonly log: Logger;
  readonly random: () => number;
  readonly clock: Clock;
}

export interface RuntimeNeeds {
  readonly kinds: ReadonlySet<Kind>;
  /** Whether pods without GPUs are kept: their cpu and memory count. */
  readonly podsWithoutGpus: boolean;
}

/** ms between two looks whether Kueue has come. */
const ABSENT_MS = 60_000;
/** How often what only time changes is looked at. */
const PASSING_MS = 60_000;

export class Runtime {
  readonly client: KubeClient;
  readonly state: ClusterState;
  readonly registry: Registry = createRegistry();
  readonly reflectors: Reflectors<Kind>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly #options: RuntimeOptions;
  readonly #configuration: ConfigurationWatch;
  readonly #configured: ((configuration: Configuration) => void)[] = [];
  readonly #stopping = new AbortController();
  #passing: Promise<void> | undefined;
  #admission: AdmissionState | undefined;
  #refusingNodes: RefusingNodes | undefined;
  #history: HistoryProvider | undefined;

  /** @throws ConfigurationError, KubeError if the configuration names no cluster */
  constructor(options: RuntimeOptions, { kinds, podsWithoutGpus }: RuntimeNeeds) {
    const { kubeConfig, log, random, clock, configurationFile: file, configurationMs } = options;
    this.#options = options;
    this.log = log;
    this.random = random;
    this.clock = clock;
    this.#configuration = new ConfigurationWatch({
      file,
      ...(configurationMs !== undefined && { everyMs: configurationMs }),
      changed: (configuration) => this.#configure(configuration),
      report: reloadReporter(this.registry, log, file),
    });
    const { oversubscribe } = this.configuration.sharing.timeSlicing;
    this.client = new KubeClient(kubeConfig, clock);
    this.state = new ClusterState(this.warn, { oversubscribe, podsWithoutGpus });
    this.reflectors = this.#reflect(kinds);
  }

  get configuration(): Configuration {
    return this.#configuration.current;
  }

  /** Where we run ourselves. */
  get namespace(): string {
    return this.#options.namespace ?? SYSTEM_NAMESPACE;
  }

  /** Aborts when everything ends. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The cluster in the eyes of admission. */
  get admission(): AdmissionState {
    this.#admission ??= new AdmissionState(this.state, this.#admissionConfiguration(), {
      clock: this.clock,
      knowsPods: () => this.reflectors.notReadyReason(['pods']) === undefined,
    });
    return this.#admission;
  }

  /** Nodes to be taken last. */
  get refusingNodes(): RefusingNodes {
    this.#refusingNodes ??= new RefusingNodes(this.state.pods, this.clock);
    return this.#refusingNodes;
  }

  /** How workloads used their GPUs before. */
  get history(): HistoryProvider {
    if (!this.#history) {
      const { log, registry, clock } = this;
      const metrics = historyMetrics(registry);
      this.#history = new HistoryProvider({ log, metrics, fetch, clock });
      this.#history.take(this.configuration);
    }
    return this.#history;
  }

  /** What a decision of admission is made from, as of now. */
  readonly admissionView = () => this.admission.view((workload) => this.history.current?.of(workload));

  readonly warn = (message: string, details: Record<string, unknown>) => this.log.warn(details, message);

  /** Calls the listener after each change of the configuration. */
  onConfigured(listener: (configuration: Configuration) => void): void {
    this.#configured.push(listener);
  }

  /** Begins to list and watch; followers of the state must have subscribed before. */
  start(): void {
    this.reflectors.start();
    this.#configuration.start();
    this.#passing = this.#passTime();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#configuration.stop(), this.reflectors.stop(), this.#history?.stop(), this.#passing]);
    this.client.close();
  }

  async #passTime(): Promise<void> {
    while (!this.signal.aborted) {
      this.state.passTime(this.clock.monotonic());
      await this.clock.sleep(PASSING_MS, this.signal).catch(() => {});
    }
  }

  #configure(configuration: Configuration): void {
    this.state.configure({ oversubscribe: configuration.sharing.timeSlicing.oversubscribe });
    this.#admission?.configure(this.#admissionConfiguration());
    this.#history?.take(configuration);
    for (const listener of this.#configured) listener(configuration);
  }

  #admissionConfiguration() {
    return admissionConfigurationOf(this.configuration, this.namespace, this.#options.schedulerName);
  }

  #reflect(kinds: ReadonlySet<Kind>): Reflectors<Kind> {
    const { client, state, random, warn: log, clock } = this;
    const common = { client, random, log, clock };
    const kueue = { ...common, optional: 'ifAllowed', mostlyAbsent: true, absentMs: ABSENT_MS } as const;
    const make: Readonly<Record<Kind, () => Reflector>> = {
      nodes: () => new Reflector({ ...common, path: '/api/v1/nodes', store: state.nodes }),
      pods: () => new Reflector({ ...common, path: '/api/v1/pods', store: state.pods }),
      namespaces: () => new Reflector({ ...common, path: '/api/v1/namespaces', store: state.namespaces }),
      limitranges: () => new Reflector({ ...common, path: '/api/v1/limitranges', store: state.limitRanges }),
      resourcequotas: () => new Reflector({ ...common, path: '/api/v1/resourcequotas', store: state.quotas }),
      deviceclasses: () =>
        new Reflector({ ...common, path: DEVICE_CLASSES, store: state.deviceClasses, optional: 'ifAllowed' }),
      daemonsets: () =>
        new Reflector({
          ...common,
          path: '/apis/apps/v1/daemonsets',
          store: state.devicePlugins.daemonSets,
          optional: 'ifAllowed',
        }),
      localqueues: () => new Reflector({ ...kueue, path: QUEUES.localQueues, store: state.queues.localQueues }),
      clusterqueues: () => new Reflector({ ...kueue, path: QUEUES.clusterQueues, store: state.queues.clusterQueues }),
      policies: () =>
        new Reflector({ ...common, path: CUSTOM_RESOURCES.policies, store: state.policies, optional: true }),
      nodeconfigs: () =>
        new Reflector({ ...common, path: CUSTOM_RESOURCES.nodeConfigs, store: state.nodeConfigs, optional: true }),
    };
    return new Reflectors<Kind>(Object.fromEntries([...kinds].map((kind) => [kind, make[kind]()])));
  }
}

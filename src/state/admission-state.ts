/** What the API server says of nodes, policies and namespaces, as admission sees it. Fed by reflectors, read by `evaluateAdmission`. */

import { z } from 'zod';
import type { AdmissionConfiguration } from '../api/admission-settings.ts';
import { formatIssues, nodeSchema } from '../api/kubernetes.ts';
import { type Guard, parseLimitRange, parseQuota } from '../api/namespace-guards.ts';
import { parseSharingPolicy } from '../api/sharing-policy.ts';
import { byPrecedence } from '../core/admission/policies.ts';
import type { SharingPolicy } from '../core/admission/policy.ts';
import { type OfferingNode, SlotIndex } from '../core/admission/slot-index.ts';
import type { Labels } from '../core/label-selector.ts';
import type { Feed, OnInvalidObject } from './cluster-state.ts';
import type { AdmissionView, HistoryOf } from './evaluate-admission.ts';
import { projectNode } from './projection.ts';
import { recordFeed } from './record-feed.ts';

const namespaceSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).nullish() }),
});
const namedSchema = z.object({ metadata: z.object({ name: z.string() }) });

export class AdmissionState {
  readonly nodes: Feed;
  readonly policies: Feed;
  readonly namespaces: Feed;
  readonly limitRanges: Feed;
  readonly quotas: Feed;
  readonly #book: SlotIndex;
  readonly #policies = new Map<string, SharingPolicy>();
  readonly #namespaces = new Map<string, Labels>();
  readonly #limitRanges = new Guards<boolean>();
  readonly #quotas = new Guards<readonly string[]>();
  #configuration: AdmissionConfiguration;
  #inOrder: readonly SharingPolicy[] | undefined;

  /** @param changed told after each change */
  constructor(configuration: AdmissionConfiguration, complain: OnInvalidObject, changed: () => void = () => {}) {
    this.#configuration = configuration;
    this.#book = new SlotIndex(configuration.offers);
    this.nodes = recordFeed<OfferingNode>({
      read: (object) => {
        const parsed = nodeSchema.safeParse(object);
        if (!parsed.success) {
          complain('a node cannot be read and is left out', { faults: formatIssues(parsed.error) });
          const named = namedSchema.safeParse(object);
          return named.success ? { key: named.data.metadata.name, record: undefined } : undefined;
        }
        const { metadata } = parsed.data;
        const inventory = projectNode(parsed.data, this.#configuration.oversubscribe);
        return { key: metadata.name, record: inventory && { inventory, labels: metadata.labels ?? {} } };
      },
      set: (_name, node) => {
        this.#book.set(node);
        changed();
      },
      delete: (name) => {
        this.#book.delete(name);
        changed();
      },
    });
    this.policies = recordFeed<SharingPolicy>({
      read: (object) => {
        const named = namedSchema.safeParse(object);
        if (!named.success) return undefined;
        const { name } = named.data.metadata;
        const parsed = parseSharingPolicy(object);
        // Its status says so as well: whoever wrote it looks there.
        if (!parsed.ok) complain('a GPUSharingPolicy cannot be read and is left out', { name, faults: parsed.reason });
        return { key: name, record: parsed.ok ? parsed.value : undefined };
      },
      set: (name, policy) => {
        this.#policies.set(name, policy);
        this.#inOrder = undefined;
        changed();
      },
      delete: (name) => {
        this.#policies.delete(name);
        this.#inOrder = undefined;
        changed();
      },
    });
    this.namespaces = recordFeed<Labels>({
      read: (object) => {
        const parsed = namespaceSchema.safeParse(object);
        return parsed.success
          ? { key: parsed.data.metadata.name, record: parsed.data.metadata.labels ?? {} }
          : undefined;
      },
      set: (name, labels) => {
        this.#namespaces.set(name, labels);
        changed();
      },
      delete: (name) => {
        this.#namespaces.delete(name);
        changed();
      },
    });
    this.limitRanges = this.#limitRanges.feed(parseLimitRange);
    this.quotas = this.#quotas.feed(parseQuota);
  }

  /** Takes another configuration from now on. @returns whether all nodes have to be told of again */
  configure(configuration: AdmissionConfiguration): boolean {
    const otherNodes = configuration.oversubscribe !== this.#configuration.oversubscribe;
    this.#configuration = configuration;
    this.#book.setOptions(configuration.offers);
    return otherNodes;
  }

  view(historyOf: HistoryOf = () => undefined): AdmissionView {
    this.#inOrder ??= byPrecedence(this.#policies.values());
    return {
      settings: this.#configuration.settings,
      offers: (placement) => this.#book.offers(placement),
      policies: this.#inOrder,
      guardsOf: (namespace) => ({
        limited: this.#limitRanges.of(namespace).some(Boolean),
        counted: new Set(this.#quotas.of(namespace).flat()),
      }),
      namespaceLabels: (namespace) => this.#namespaces.get(namespace),
      historyOf,
    };
  }
}

/** Objects of a namespace, by it and by their names. */
class Guards<T> {
  readonly #byNamespace = new Map<string, Map<string, T>>();

  feed(parse: (object: unknown) => Guard<T> | undefined): Feed {
    return recordFeed<Guard<T>>({
      read: (object) => {
        const guard = parse(object);
        return guard && { key: guard.key, record: guard };
      },
      set: (key, { namespace, value }) => {
        const here = this.#byNamespace.get(namespace) ?? new Map<string, T>();
        this.#byNamespace.set(namespace, here.set(key, value));
      },
      delete: (key) => {
        const namespace = key.slice(0, key.indexOf('/'));
        const here = this.#byNamespace.get(namespace);
        here?.delete(key);
        if (here?.size === 0) this.#byNamespace.delete(namespace);
      },
    });
  }

  of(namespace: string): T[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])];
  }
}

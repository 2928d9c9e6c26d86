/**
 * Events: what people see of an object with `kubectl describe`. One that is the same as an earlier one of the last minutes
 * raises its count instead of filling the list, as client-go's recorder does.
 */

import { LRUCache } from 'lru-cache';
import { EVENTS, type EventReason, type EventSubject } from '../api/events.ts';
import type { Clock } from './clock.ts';
import { type KubeClient, KubeError, MERGE_PATCH } from './kube-client.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'json'>;
  /** Who reports: `gpu-autoscaler-controller`. */
  readonly component: string;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** Takes why an event could not be written. */
  readonly failed: (error: Error) => void;
}

/** An event's message may have 1,024 characters. */
const MAX_MESSAGE = 1_000;
/** The same event within so long counts as one. Source: client-go, `tools/record/events_cache.go`. */
const SAME_MS = 600_000;
/** Events that are remembered for that; client-go keeps as many. */
const MAX_REMEMBERED = 4_096;

/** An event that was written, for as long as another like it counts as the same. */
interface Written {
  readonly path: string;
  readonly until: number;
  count: number;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #written = new LRUCache<string, Written>({ max: MAX_REMEMBERED });
  #number = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Writes an event; never rejects: what cannot be reported keeps nothing from being done. */
  async record(subject: EventSubject, reason: EventReason, message: string): Promise<void> {
    try {
      await this.#record(subject, reason, message);
    } catch (error) {
      this.#options.failed(error as Error);
    }
  }

  /**
   * Writes an event under a name that follows from its subject: after a restart it is there already, and is not written
   * again. Nor is it where the namespace is gone, or on its way out: no client reads events there.
   * @throws KubeError for any other refusal
   */
  async recordOnce(subject: EventSubject, reason: EventReason, message: string): Promise<void> {
    const name = `${nameStart(subject.name)}.${subject.uid.slice(0, 8)}.${reason.toLowerCase()}`;
    try {
      await this.#post(subject, reason, message, name);
    } catch (error) {
      if (!isThereOrGone(error)) throw error;
    }
  }

  async #record(subject: EventSubject, reason: EventReason, message: string): Promise<void> {
    const { clock } = this.#options;
    const key = `${subject.uid}\n${reason}\n${message}`;
    const same = this.#written.get(key);
    if (same && clock.monotonic() < same.until && (await this.#countOn(same))) return;
    this.#number += 1;
    const number = `${clock.now().getTime().toString(36)}${this.#number.toString(36)}`;
    const path = await this.#post(subject, reason, message, `${nameStart(subject.name)}.${number}`);
    this.#written.set(key, { path, until: clock.monotonic() + SAME_MS, count: 1 });
  }

  /** Raises the count; false if the event is gone: they last an hour, and any client may delete them. */
  async #countOn(written: Written): Promise<boolean> {
    const { client, clock } = this.#options;
    const body = { count: written.count + 1, lastTimestamp: clock.now().toISOString() };
    try {
      await client.json('PATCH', written.path, { body, contentType: MERGE_PATCH });
      written.count += 1;
      return true;
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return false;
      throw error;
    }
  }

  /** @returns path of the event */
  async #post(subject: EventSubject, reason: EventReason, message: string, name: string): Promise<string> {
    const { client, component, clock } = this.#options;
    // Events of objects without a namespace go there. Source: client-go, `tools/record`.
    const namespace = subject.namespace ?? 'default';
    const time = clock.now().toISOString();
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: subject,
      type: EVENTS[reason].type,
      reason,
      message: message.slice(0, MAX_MESSAGE),
      source: { component },
      reportingComponent: component,
      reportingInstance: component,
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
    };
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    await client.json('POST', path, { body });
    return `${path}/${encodeURIComponent(name)}`;
  }
}

/** The part of a name that an event's may begin with: of up to 253 characters so many that there is room for more, ending in a letter or digit. */
function nameStart(name: string): string {
  return name.slice(0, 200).replace(/[-.]+$/, '');
}

function isThereOrGone(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  const { status, message } = error;
  return status === 409 || status === 404 || (status === 403 && /being terminated/.test(message));
}

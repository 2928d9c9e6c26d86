/** Events: what is told to whoever looks at an object with `kubectl describe`. */

import type { KubeClient } from './kube-client.ts';

export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  /** Undefined for an object that belongs to none. */
  readonly namespace?: string;
}

export interface EventContent {
  readonly type: 'Normal' | 'Warning';
  /** In one word for programs. */
  readonly reason: string;
  readonly message: string;
}

export interface EventOptions {
  /** Of the Event; one that is there already is a 409. */
  readonly name: string;
  readonly component: string;
  readonly at: Date;
}

/** An event's message may have 1,024 characters. */
const MAX_MESSAGE = 1_000;

/** @throws KubeError */
export async function postEvent(
  client: Pick<KubeClient, 'json'>,
  subject: EventSubject,
  { type, reason, message }: EventContent,
  { name, component, at }: EventOptions,
): Promise<void> {
  // Events of objects without a namespace go there. Source: client-go, `tools/record`.
  const namespace = subject.namespace ?? 'default';
  const time = at.toISOString();
  const body = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name, namespace },
    involvedObject: subject,
    type,
    reason,
    message: message.slice(0, MAX_MESSAGE),
    source: { component },
    reportingComponent: component,
    reportingInstance: component,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
  await client.json('POST', `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`, { body });
}

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly component: string;
  readonly date: () => Date;
  /** An event could not be made, and why. */
  readonly failed: (error: Error) => void;
  /** A letter that keeps names apart from those of others of the same component; default none. */
  readonly series?: string;
}

/** Events of which nobody needs to know whether they were made: what cannot be told keeps nothing from being done. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  #made = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  async record(subject: EventSubject, news: EventContent): Promise<void> {
    const { client, component, date, failed, series = '' } = this.#options;
    const at = date();
    this.#made += 1;
    const name = `${eventNameStart(subject.name)}.${at.getTime().toString(36)}${series}${this.#made.toString(36)}`;
    await postEvent(client, subject, news, { name, component, at }).catch(failed);
  }
}

/** Of a name of up to 253 characters, so many that an event's has room for more; a part of it ends in a letter or digit. */
export function eventNameStart(name: string): string {
  return name.slice(0, 200).replace(/[-.]+$/, '');
}

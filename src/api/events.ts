/** The catalogue of all events that we write. Reasons are a public contract (docs/reference/events.md). */

import { API_GROUP, API_VERSION } from './keys.ts';

export interface EventInfo {
  readonly type: 'Normal' | 'Warning';
  /** The kind of object that the event is on. */
  readonly on: 'Pod' | 'Node' | 'GPUNodeConfig';
  /** When it is written, in a sentence for the reference. */
  readonly when: string;
}

export const EVENTS = {
  PartitionChanging: {
    type: 'Normal',
    on: 'GPUNodeConfig',
    when: 'The partition of its node begins to change: no pod is placed there until it has changed.',
  },
  PartitionReady: { type: 'Normal', on: 'GPUNodeConfig', when: 'The node offers what was asked for.' },
  PartitionPostponed: {
    type: 'Normal',
    on: 'GPUNodeConfig',
    when: 'A change was taken back before it was applied; the message says what it waits for.',
  },
  PartitionRepaired: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: "One of NVIDIA's components did not do what it was asked for, and is asked again under another name.",
  },
  PartitionFailed: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: 'A change was given up; it is tried again after 15 minutes, or when the spec changes.',
  },
  Rejected: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: "The spec breaks a rule of NVIDIA's on this node; the message names the rule and what mends it.",
  },
  Conflict: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: 'Another GPUNodeConfig for the same node is older, and counts.',
  },
  ForeignEdit: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: 'Another client has changed a label that we had set; the message has the command that takes it back.',
  },
  CannotDrain: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: 'The node cannot be drained: a pod on it must not be evicted, and the message says why.',
  },
  DrainTimeout: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: 'Pods did not go within drainTimeoutSeconds, and the node was given back.',
  },
  NotOffered: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: 'The device plugin does not offer what it was asked for.',
  },
  ConfigMapUnusable: {
    type: 'Warning',
    on: 'GPUNodeConfig',
    when: "A ConfigMap of NVIDIA's components cannot be read or written; the message says what mends it.",
  },
  Planned: {
    type: 'Normal',
    on: 'GPUNodeConfig',
    when: 'The planner has made or changed it for pods that wait; the message says for which, and why so.',
  },
  PartitionRecommended: {
    type: 'Normal',
    on: 'Pod',
    when: 'Another partition would make room for the pod, but may only be recommended; the message says why.',
  },
  NoPartition: {
    type: 'Normal',
    on: 'Pod',
    when: 'No change of partitions would make room for the pod; the message says why.',
  },
  NotOptimized: {
    type: 'Warning',
    on: 'Pod',
    when: 'The pod slipped past the webhook and holds a whole GPU that it could share; the message has the command that repairs it.',
  },
  SlotSizeUnknown: {
    type: 'Warning',
    on: 'Node',
    when: 'Neither labels nor names tell how large the GPU slots of the node are; the message says why.',
  },
  RefusesPods: {
    type: 'Warning',
    on: 'Node',
    when: 'Its kubelet refused a pod after it was bound (UnexpectedAdmissionError): other nodes are tried first for some minutes.',
  },
  NotUnderstood: {
    type: 'Warning',
    on: 'Pod',
    when: 'A label or annotation of ours on the pod cannot be read; the pod was left as it is.',
  },
} as const satisfies Readonly<Record<string, EventInfo>>;

/** The object that an event is on. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: EventInfo['on'];
  readonly name: string;
  readonly uid: string;
  /** Undefined for an object that belongs to no namespace. */
  readonly namespace?: string;
}

interface Identity {
  readonly name: string;
  readonly uid: string;
}

export function podSubject({ namespace, name, uid }: Identity & { readonly namespace: string }): EventSubject {
  return { apiVersion: 'v1', kind: 'Pod', namespace, name, uid };
}

export function nodeConfigSubject({ name, uid }: Identity): EventSubject {
  return { apiVersion: `${API_GROUP}/${API_VERSION}`, kind: 'GPUNodeConfig', name, uid };
}

/** The kubelet's own events name a node so. */
export function nodeSubject(name: string): EventSubject {
  return { apiVersion: 'v1', kind: 'Node', name, uid: name };
}

export type EventReason = keyof typeof EVENTS;

export function isEventReason(reason: string): reason is EventReason {
  return Object.hasOwn(EVENTS, reason);
}

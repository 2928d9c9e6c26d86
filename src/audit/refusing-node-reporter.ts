/** Nodes whose kubelet refuses pods that were bound are reported: their pods fail, and kube-scheduler does not try those again. */

import { nodeSubject } from '../api/events.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { Refusal, RefusingNodes } from '../state/refusing-nodes.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface RefusingNodeReporterOptions {
  readonly refusing: Pick<RefusingNodes, 'onRefused'>;
  readonly events: Pick<EventRecorder, 'recordOnce'>;
  readonly log: Logger;
}

/** Reports from now on; an event that is there already is not repeated. */
export function reportRefusingNodes({ refusing, events, log }: RefusingNodeReporterOptions): void {
  refusing.onRefused((refusal) => {
    const { node, pod, reason } = refusal;
    log.warn({ node, pod, reason }, 'a kubelet refused a pod that was bound, other nodes are tried first');
    events.recordOnce(nodeSubject(node), 'RefusesPods', messageOf(refusal)).catch((error: Error) => {
      log.warn({ node, error: error.message }, 'an event could not be made');
    });
  });
}

function messageOf({ pod, reason, forMs }: Refusal): string {
  const minutes = Math.round(forMs / 60_000);
  return `its kubelet refused ${pod} after it was bound (${reason}): other nodes are tried first for ${minutes} minutes, or until a pod starts here. Look at the device plugin on the node`;
}

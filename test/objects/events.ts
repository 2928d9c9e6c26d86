/** An event recorder as the controller has it. */

import { CONTROLLER_NAME } from '#src/api/keys.ts';
import { EventRecorder, type EventRecorderOptions } from '#src/kube/event-recorder.ts';
import { ManualClock } from './clock.ts';

export function eventRecorder(
  client: EventRecorderOptions['client'],
  { clock = new ManualClock(), failed = () => {} }: Partial<EventRecorderOptions> = {},
): EventRecorder {
  return new EventRecorder({ client, clock, failed, component: CONTROLLER_NAME });
}

/** All checks, in the order in which they are reported. */

import type { Check } from '../check.ts';
import { autoscalers } from './autoscalers.ts';
import { clock } from './clock.ts';
import { components } from './components.ts';
import { definitions } from './definitions.ts';
import { devicePluginVersion } from './device-plugin-version.ts';
import { foreignConfigs } from './foreign-configs.ts';
import { migState } from './mig-state.ts';
import { migStrategy } from './mig-strategy.ts';
import { missingGpus } from './missing-gpus.ts';
import { nodeSizes } from './node-sizes.ts';
import { queues } from './queues.ts';
import { scheduler } from './scheduler.ts';
import { slotNames } from './slot-names.ts';
import { webhook } from './webhook.ts';

export const CHECKS: readonly Check[] = [
  webhook,
  scheduler,
  definitions,
  nodeSizes,
  missingGpus,
  slotNames,
  migStrategy,
  migState,
  devicePluginVersion,
  components,
  foreignConfigs,
  autoscalers,
  queues,
  clock,
];

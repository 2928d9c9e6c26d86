/**
 * Workloads that people have asked about, each with its nodes and with what has to become of it: in `decide`, in `simulate`,
 * and on a real control plane.
 */

import { KEEP_WHOLE } from './keep-whole.ts';
import { SHARE } from './share.ts';
import type { FleetWorkload } from './workload.ts';

export const FLEET_WORKLOADS: readonly FleetWorkload[] = [...KEEP_WHOLE, ...SHARE];

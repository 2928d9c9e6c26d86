/** What the controller works on: a cluster that shares by MPS. */

import type { AdmissionView } from '#src/state/evaluate-admission.ts';
import { mpsNode } from '../../objects/nodes.ts';
import { stateOf } from '../state/evaluating.ts';

export const NOW = new Date('2026-01-02T03:04:05.678Z');

/** Of a node with MPS; `configuration` as the file has it. */
export function viewOf(configuration: unknown = {}): AdmissionView {
  const nodes = [mpsNode({ name: 'mps', gpus: 1, replicas: 8 })];
  return stateOf({ nodes, namespaces: {}, configuration }).admission.view();
}

/** The nodes that benches are made of. */

import { mpsNode } from '../test/objects/nodes.ts';

/** `gpu-node-00000` and so on. */
export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `gpu-node-${String(i).padStart(5, '0')}`);
}

/** Nodes of 8 GPUs, each shared 4 ways by MPS. */
export function sharedNodes(names: readonly string[]): object[] {
  return names.map((name) => mpsNode({ name, gpus: 8, replicas: 4 }));
}

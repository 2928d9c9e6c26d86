/** What a user gives us to read, and what we say of it. */

import { readFileSync } from 'node:fs';
import type { NodeInventory } from '../core/inventory.ts';
import { InputError } from './input-error.ts';

/**
 * @param file `-` for standard input
 * @throws InputError
 */
export function readText(file: string): string {
  try {
    // Some editors put a byte order mark first.
    return readFileSync(file === '-' ? 0 : file, 'utf8').replace(/^\ufeff/, '');
  } catch (error) {
    throw new InputError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** On standard error: what is on standard output may be read by a program. */
export function say(text: string): void {
  process.stderr.write(`gpu-autoscaler: ${text}\n`);
}

/** Names the nodes whose slots have no known size: they explain what is missing in what follows. */
export function sayUnsized(inventories: readonly (NodeInventory | undefined)[]): void {
  for (const inventory of inventories) {
    if (inventory?.unsized === undefined) continue;
    const slots = inventory.pools
      .filter(({ slotMilli }) => slotMilli === 0)
      .map(({ slots, resource }) => `${slots} × ${resource}`);
    say(`node ${inventory.name}: the size of ${slots.join(', ')} is not known: ${inventory.unsized}`);
  }
}

/** What a user gives us to read, and what we say of it. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeInventory } from '../core/inventory.ts';
import { InputError } from './input-error.ts';
import { printable } from './printable.ts';

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

export interface Source {
  /** Of the file, for messages. */
  readonly name: string;
  readonly text: string;
}

/**
 * What `-f` may name, as kubectl has it: a file, standard input (`-`), a folder (its .yaml, .yml and .json), a URL.
 * @throws InputError
 */
export async function sourcesOf(name: string): Promise<Source[]> {
  if (/^https?:\/\//.test(name)) return [{ name, text: await download(name) }];
  if (name === '-') return [{ name: 'standard input', text: readText(name) }];
  if (!statSync(name, { throwIfNoEntry: false })?.isDirectory()) return [{ name, text: readText(name) }];
  const files = readdirSync(name).filter((file) => /\.(ya?ml|json)$/.test(file));
  if (files.length === 0) throw new InputError(`${name}: there is no .yaml, .yml or .json in this folder`);
  return files.sort().map((file) => ({ name: join(name, file), text: readText(join(name, file)) }));
}

const DOWNLOAD_MS = 30_000;

async function download(url: string): Promise<string> {
  try {
    const reply = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_MS) });
    if (!reply.ok) throw new Error(`HTTP status ${reply.status}`);
    return await reply.text();
  } catch (error) {
    throw new InputError(`cannot read ${url}: ${(error as Error).message}`, { cause: error });
  }
}

/** On standard error, as a terminal can show it: what is on standard output may be read by a program. */
export function say(text: string): void {
  process.stderr.write(`gpu-autoscaler: ${printable(text)}\n`);
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

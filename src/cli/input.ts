/** What a user gives us to read. */

import { readFileSync } from 'node:fs';
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

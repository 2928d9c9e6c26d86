/** Files of a published Go module: definitions of others, which are not ours to keep. Go verifies and caches them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { z } from 'zod';
import { BuildError, go } from '../compat/go.ts';

const DOWNLOAD_MS = 60_000;

/**
 * Texts of the files. Undefined if the module cannot be had here: the test has then been skipped, or has failed where
 * GO_MODULES_REQUIRED says so.
 * @param module `sigs.k8s.io/kueue@v0.17.0`
 */
export async function filesOf(t: Test, module: string, files: readonly string[]): Promise<string[] | undefined> {
  try {
    const printed = await go(['mod', 'download', '-json', module], { signal: AbortSignal.timeout(DOWNLOAD_MS) });
    const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(printed));
    return files.map((file) => readFileSync(join(Dir, file), 'utf8'));
  } catch (error) {
    const expected = error instanceof BuildError || (error as Error).name === 'AbortError';
    if (!expected || process.env.GO_MODULES_REQUIRED) throw error;
    t.pass('not run', { skip: `${module}: ${(error as Error).message}` });
    return undefined;
  }
}

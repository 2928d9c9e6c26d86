/**
 * Preloaded into every test: writes into COVERAGE_DIR which parts of our sources a unit test has run.
 *
 * V8 is asked here rather than through NODE_V8_COVERAGE, which writes megabytes for each process, nearly all of it about
 * packages. Property tests are not measured: they take minutes, and counting would double that.
 */

import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const root = resolve(import.meta.dirname, '../..');
const sources = pathToFileURL(join(root, 'src/')).href;
const dir = process.env.COVERAGE_DIR;

if (dir && process.argv[1]?.startsWith(join(root, 'test/unit/'))) {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true });
  process.on('exit', () => {
    session.post('Profiler.takePreciseCoverage', (error, coverage) => {
      if (error) throw error;
      const ours = coverage.result.filter(({ url }) => url.startsWith(sources));
      // Threads of one process write as well.
      writeFileSync(join(dir, `${randomUUID()}.json`), JSON.stringify(ours));
    });
  });
}

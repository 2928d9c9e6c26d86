/** What is measured of the sources that tests run, on a small source of which half runs. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import tap, { type Test as Tap } from 'tap';
import { judgeCoverage } from '../coverage/floors.ts';
import { linesOfCode } from '../coverage/lines.ts';

const HALF = `/** A comment says nothing of coverage. */
import type { Thing } from './types.ts';

interface Options {
  readonly '→ not ASCII, and blank where it runs': Thing;
}

export function half(which: boolean, options?: Options): string {
  if (which) {
    return 'is run';
  }
  // Nor does this one.
  const unused = String(options);
  return unused;
}

half(true);
`;
const UNTOUCHED = `export const untouched = () => {
  return 'never loaded';
};
`;
const TYPES = `export type Thing = string;
`;

/** A project that has run \`half.ts\`, and what V8 has recorded of it. */
function project(t: Tap): { root: string; recorded: string } {
  const root = t.testdir({
    src: { 'half.ts': HALF, 'untouched.ts': UNTOUCHED, 'types.ts': TYPES },
    v8: {},
    recorded: {},
  });
  const v8 = join(root, 'v8');
  const { status } = spawnSync(process.execPath, [join(root, 'src/half.ts')], { env: { NODE_V8_COVERAGE: v8 } });
  t.equal(status, 0);
  for (const name of readdirSync(v8)) {
    const { result } = JSON.parse(readFileSync(join(v8, name), 'utf8')) as { result: { url: string }[] };
    const ours = result.filter(({ url }) => url.startsWith(pathToFileURL(root).href));
    writeFileSync(join(root, 'recorded', name), JSON.stringify(ours));
  }
  return { root, recorded: join(root, 'recorded') };
}

tap.test('lines with code are neither types nor comments nor brackets', async (t) => {
  t.same(
    linesOfCode(HALF).map(({ number }) => number),
    [8, 9, 10, 13, 14, 17],
  );
  t.same(linesOfCode(TYPES), []);
});

tap.test('a folder below its floor fails, with its figure and what its files lack', async (t) => {
  const { root, recorded } = project(t);
  t.same(judgeCoverage(root, recorded, { src: 51 }), [
    {
      ok: false,
      text: [
        'FAIL coverage of src: unit tests run 50% of 8 lines, not the 51% that it must have',
        '     66.6% src/half.ts, not 13–14',
        '     0% src/untouched.ts, not 1–2',
      ].join('\n'),
    },
  ]);
});

tap.test('a folder at its floor passes', async (t) => {
  const { root, recorded } = project(t);
  t.same(judgeCoverage(root, recorded, { src: 50 }), [
    { ok: true, text: 'ok   coverage of src: unit tests run 50% of 8 lines' },
  ]);
});

tap.test('a folder fails that is not there, or of which nothing was recorded', async (t) => {
  const root = t.testdir({ src: { 'untouched.ts': UNTOUCHED }, recorded: {} });
  const verdicts = judgeCoverage(root, join(root, 'recorded'), { src: 1, elsewhere: 1 });
  t.same(
    verdicts.map(({ ok }) => ok),
    [false, false],
  );
});

/** What is said when Go cannot build a version. */

import tap from 'tap';
import { explain, go } from './go.ts';

const cases: readonly [said: string, message: RegExp][] = [
  [
    'go: k8s.io/kubernetes@v1.38.0 requires go >= 1.27.0 (running go 1.26.8; GOTOOLCHAIN=local)',
    /^this version needs Go 1\.27\.0, and this machine has 1\.26\.8: install it, or name it in GOTOOLCHAIN\ngo: k8s/,
  ],
  [
    'go: module k8s.io/kubernetes: Get "http://proxy.test/list": dial tcp: lookup proxy.test: no such host',
    /^the Go module proxy \(go env GOPROXY\) does not answer\ngo: module/,
  ],
  [
    'go: downloading k8s.io/api v0.34.9\ngo: k8s.io/api@v0.34.9: reading http://proxy.test/x: 404 Not Found',
    /^the Go module proxy \(go env GOPROXY\) lacks a module\ngo: k8s\.io\/api@v0\.34\.9/,
  ],
  [
    '{\n\t"Path": "k8s.io/kubernetes",\n\t"Error": "k8s.io/kubernetes@v1.34.99: invalid version:\\n\\tno such thing"\n}',
    /lacks a module\nk8s\.io\/kubernetes@v1\.34\.99: invalid version:\n\tno such thing$/,
  ],
  ['a.go:1:2: syntax error', /^go failed\na\.go:1:2: syntax error$/],
];
for (const [said, message] of cases) {
  tap.test(`"${said.slice(0, 60)}…"`, async (t) => {
    t.match(explain(said), message);
  });
}

tap.test('without Go, a sentence says what to install', async (t) => {
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
  });
  process.env.PATH = t.testdir({});
  await t.rejects(go(['version']), { name: 'BuildError', message: /install Go \(https:\/\/go\.dev\/dl\)/ });
});

tap.test('a run that is ended ends Go', async (t) => {
  await t.rejects(go(['version'], { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

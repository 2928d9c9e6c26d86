/** Certificates in files: read again when they change, and never served half. */

import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import tap, { type Test } from 'tap';
import { FileCertificateManager } from '#src/webhook/certificates/files.ts';
import type { Pair } from '#src/webhook/certificates/issue.ts';
import { certificateMetrics } from '#src/webhook/certificates/metrics.ts';
import { createCertificate } from '../../../cluster/certificates.ts';
import { waitFor } from '../../../cluster/wait.ts';

function setUp(t: Test, folder: string) {
  const registry = new Registry();
  const logged: string[] = [];
  const taken: Pair[] = [];
  const keeper = new FileCertificateManager({
    certFile: join(folder, 'tls.crt'),
    keyFile: join(folder, 'tls.key'),
    everyMs: 20,
    log: pino({}, { write: (line: string) => logged.push(JSON.parse(line).msg) }),
    metrics: certificateMetrics(registry),
  });
  keeper.start((pair) => taken.push(pair));
  t.teardown(() => keeper.stop());
  return { keeper, taken, logged, metrics: () => registry.metrics() };
}

function write(folder: string, { cert, key }: Pair): void {
  writeFileSync(join(folder, 'tls.crt'), cert);
  writeFileSync(join(folder, 'tls.key'), key);
}

/** As kubelet does it: a folder of its own for each version, and a link that is swapped. */
function mount(folder: string, version: string, pair: Pair): void {
  mkdirSync(join(folder, version));
  write(join(folder, version), pair);
  symlinkSync(version, join(folder, 'next'));
  renameSync(join(folder, 'next'), join(folder, '..data'));
}

tap.test('a mounted Secret that changes is served', async (t) => {
  const [first, second] = [await createCertificate(), await createCertificate()];
  const folder = t.testdir({});
  mount(folder, 'v1', first);
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(folder, name));
  const { keeper, taken, metrics } = setUp(t, folder);
  t.same(keeper.current, first);
  mount(folder, 'v2', second);
  await waitFor('the new one is taken', () => taken.length > 0);
  t.same(taken, [second]);
  t.same(keeper.current, second);
  t.match(await metrics(), /not_after_timestamp_seconds \d{10}\n/);
  t.match(await metrics(), /rotations_total\{result="taken"\} 1/);
});

tap.test('half of a change is waited out, and told once', async (t) => {
  const [first, second] = [await createCertificate(), await createCertificate()];
  const folder = t.testdir({ 'tls.crt': first.cert, 'tls.key': first.key });
  const { keeper, taken, logged } = setUp(t, folder);
  writeFileSync(join(folder, 'tls.crt'), second.cert);
  await waitFor('it is told', () => logged.length > 0);
  t.same(keeper.current, first);
  writeFileSync(join(folder, 'tls.key'), second.key);
  await waitFor('the new one is taken', () => taken.length > 0);
  t.same(taken, [second]);
  t.same(logged, [
    'the certificate cannot be read; the one from before is served on',
    'the certificate has changed, and is served',
  ]);
});

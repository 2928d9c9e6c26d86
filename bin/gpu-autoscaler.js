#!/usr/bin/env node
// Runs the program from a checkout on a Node.js that can: the one at hand, or the one that came with the dependencies.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const ours = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(main);
} else if (existsSync(ours)) {
  const { status, signal } = spawnSync(ours, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1);
} else {
  process.stderr.write(
    `gpu-autoscaler needs Node.js 24 or newer (this is ${process.version}); in a checkout, run: npm ci\n`,
  );
  process.exitCode = 1;
}

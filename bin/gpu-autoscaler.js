#!/usr/bin/env node
// Runs the program from a checkout on a Node.js that can: the one at hand, or the one that came with the dependencies.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const ours = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= 24) {
  await import(main);
} else if (existsSync(ours)) {
  const child = spawn(ours, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A signal to us is meant for the program; from a terminal it gets its own.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
} else {
  process.stderr.write(
    `gpu-autoscaler needs Node.js 24 or newer (this is ${process.version}); in a checkout, run: npm ci\n`,
  );
  process.exitCode = 1;
}

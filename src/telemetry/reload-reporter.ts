/** What became of a change of the configuration file, for operators: a line in the log, and a count. */

import { Counter, type Registry } from 'prom-client';
import type { Logger } from './logger.ts';

/** @returns to be called with the faults of a change that cannot be used, or without any for one that is taken */
export function reloadReporter(registry: Registry, log: Logger, file: string | undefined) {
  const reloads = new Counter({
    name: 'gpu_autoscaler_configuration_reloads_total',
    help: 'Changes of the configuration file: taken, or refused because it cannot be used.',
    labelNames: ['result'] as const,
    registers: [registry],
  });
  return (faults?: string) => {
    reloads.inc({ result: faults === undefined ? 'taken' : 'refused' });
    if (faults === undefined) log.info({ file }, 'the configuration has changed, and holds from now on');
    else log.error({ file, faults }, 'the changed configuration cannot be used; the one from before holds');
  };
}

/** Structured logs, one JSON object a line. */

import { type Logger, type LoggerOptions, pino } from 'pino';

export type { Logger };

/**
 * @param role the role that speaks, in every line
 * @param file where to; standard output if absent
 */
export function createLogger(role: string, level: string, file?: string): Logger {
  const options: LoggerOptions = {
    level,
    base: { role },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  };
  return file === undefined ? pino(options) : pino(options, pino.destination({ dest: file, sync: true }));
}

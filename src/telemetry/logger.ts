/** Structured logs, one JSON object a line. */

import { type Logger, type LoggerOptions, pino } from 'pino';

export type { Logger };

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** @param role the role that speaks, in every line */
export function createLogger(role: string, level: string): Logger {
  const options: LoggerOptions = {
    level,
    base: { role },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  };
  return pino(options);
}

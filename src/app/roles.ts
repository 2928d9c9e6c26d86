/** Roles, put together in one process: they share one runtime, and end together. */

import type { Logger } from '../telemetry/logger.ts';
import { type Kind, Runtime, type RuntimeOptions } from './runtime.ts';

export interface RunningRole {
  /** Where it listens: `http://127.0.0.1:8888`. */
  readonly url: string;
  /** Resolves once it can answer. */
  readonly ready: Promise<void>;
  /** Answers what has been asked, and lets go of what others wait for; the runtime is stopped after that. */
  close(): Promise<void>;
}

/** A role before it runs. */
export interface Role<Running extends RunningRole = RunningRole> {
  /** What it is called in its lines of the log. */
  readonly name: string;
  /** Kinds of objects that it follows. */
  readonly kinds: readonly Kind[];
  /** Whether it counts the cpu and memory of pods without GPUs. */
  readonly podsWithoutGpus?: boolean;
  /** Follows the runtime's state, and listens; nothing has been listed yet. */
  start(runtime: Runtime, log: Logger): Promise<Running>;
}

/**
 * Runs roles on one runtime.
 * @param options with `logOf`, each role writes to a log of its own; what concerns all of them goes to `log`
 * @throws ConfigurationError, CertificateSettingsError, KubeError, Error of the network if an address is taken
 */
export async function startRoles<Running extends readonly RunningRole[]>(
  options: RuntimeOptions & { readonly logOf?: (role: string) => Logger },
  ...roles: { readonly [Index in keyof Running]: Role<Running[Index]> }
): Promise<{ readonly running: Running; close(): Promise<void> }> {
  const all: readonly Role[] = roles;
  const kinds = new Set(all.flatMap((role) => role.kinds));
  const podsWithoutGpus = all.some((role) => role.podsWithoutGpus === true);
  const runtime = new Runtime(options, { kinds, podsWithoutGpus });
  const running: RunningRole[] = [];
  const close = async () => {
    await Promise.all(running.map((role) => role.close()));
    await runtime.stop();
  };
  try {
    for (const role of all) running.push(await role.start(runtime, options.logOf?.(role.name) ?? options.log));
  } catch (error) {
    await close();
    throw error;
  }
  runtime.start();
  return { running: running as unknown as Running, close };
}

/** Runs one role alone. */
export async function startRole<Running extends RunningRole>(
  options: RuntimeOptions,
  role: Role<Running>,
): Promise<Running> {
  const { running, close } = await startRoles<[Running]>(options, role);
  return { ...running[0], close };
}

/** The commands that run roles: their flags from the schema of settings, and from these the roles themselves. */

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Command } from 'commander';
import type { z } from 'zod';
import { SYSTEM_NAMESPACE } from '../api/keys.ts';
import {
  commonSettingsSchema,
  controllerSettingsSchema,
  extenderSettingsSchema,
  type Flag,
  flagName,
  flagsOf,
  webhookSettingsSchema,
} from '../api/settings.ts';
import { systemClock } from '../kube/clock.ts';
import { createLogger } from '../telemetry/logger.ts';
import { certificateSource } from '../webhook/certificates/settings.ts';
import { controllerRole } from './controller.ts';
import { extenderRole } from './extender.ts';
import { type Role, startRoles } from './roles.ts';
import type { Runtime } from './runtime.ts';
import { webhookRole } from './webhook.ts';

/** A flag has a value that cannot be used; the message names it, one line for each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** A role as a command runs it. */
interface RoleCommand {
  readonly settings: z.ZodObject;
  readonly role: (flags: unknown) => Role;
}

const EXTENDER: RoleCommand = {
  settings: extenderSettingsSchema,
  role: (flags) => {
    const settings = parse(extenderSettingsSchema, flags);
    const { extenderHost, extenderPort, strategy, narrowing, compareInterval, leaseNamespace } = settings;
    return extenderRole({
      host: extenderHost,
      port: extenderPort,
      ...(strategy && { strategy }),
      ...(narrowing !== undefined && { narrowing }),
      compareMs: compareInterval * 1000,
      leaseNamespace,
      identity: identity(),
    });
  },
};

const WEBHOOK: RoleCommand = {
  settings: webhookSettingsSchema,
  role: (flags) => {
    const settings = parse(webhookSettingsSchema, flags);
    // What is registered is as the configuration says at the start; decisions follow its changes.
    const certificates = ({ configuration, namespace }: Runtime) => {
      const { failurePolicy, timeoutSeconds, namespaceSelector, exemptNamespaces } = configuration.admissionWebhook;
      return certificateSource({
        ...settings,
        failurePolicy,
        timeoutSeconds,
        namespaceSelector,
        namespace,
        exemptNamespaces: new Set([namespace, ...exemptNamespaces]),
      });
    };
    return webhookRole({ host: settings.webhookHost, port: settings.webhookPort, certificates });
  },
};

const CONTROLLER: RoleCommand = {
  settings: controllerSettingsSchema,
  role: (flags) => {
    const { controllerHost, controllerPort, leaseNamespace } = parse(controllerSettingsSchema, flags);
    return controllerRole({ host: controllerHost, port: controllerPort, leaseNamespace, identity: identity() });
  },
};

interface CommandInfo {
  readonly name: string;
  readonly description: string;
  readonly roles: readonly RoleCommand[];
}

const COMMANDS: readonly CommandInfo[] = [
  { name: 'extender', description: 'Scheduler extender: filter, prioritize, bind.', roles: [EXTENDER] },
  { name: 'webhook', description: 'Admission webhook: decides how a pod may share.', roles: [WEBHOOK] },
  {
    name: 'controller',
    description: 'Partitions GPUs, keeps statuses, finds missed pods.',
    roles: [CONTROLLER],
  },
  { name: 'all', description: 'All of them in one process.', roles: [EXTENDER, WEBHOOK, CONTROLLER] },
];

/** A flag, and the commands that take it. */
export interface DocumentedFlag extends Flag {
  readonly commands: readonly string[];
}

/** All flags of the commands that run roles, each once; for the reference. */
export function documentedFlags(): DocumentedFlag[] {
  const flags = new Map<string, DocumentedFlag>();
  for (const flag of flagsOf(commonSettingsSchema)) flags.set(flag.key, { ...flag, commands: ['every command'] });
  for (const { name, roles } of COMMANDS) {
    for (const flag of flagsIn(roles)) {
      const commands = [...(flags.get(flag.key)?.commands ?? []), name];
      flags.set(flag.key, { ...flag, commands });
    }
  }
  return [...flags.values()];
}

/** Adds the flags that all commands have, and the commands that run roles. */
export function addRoleCommands(
  program: Command,
  kubeConfig: (file: string | undefined) => Promise<KubeConfig>,
  run: (command: Command, start: () => Promise<{ close(): Promise<void> }>) => Promise<void>,
): void {
  addFlags(program, flagsOf(commonSettingsSchema));
  for (const { name, description, roles } of COMMANDS) {
    const command = program.command(name).description(description);
    addFlags(command, flagsIn(roles)).action(() =>
      run(command, () => start(name, roles, command.optsWithGlobals(), kubeConfig)),
    );
  }
}

function addFlags(command: Command, flags: readonly Flag[]): Command {
  for (const { name, placeholder, description } of flags) command.option(`${name} <${placeholder}>`, description);
  return command;
}

function flagsIn(roles: readonly RoleCommand[]): Flag[] {
  return [...new Map(roles.flatMap(({ settings }) => flagsOf(settings)).map((flag) => [flag.key, flag])).values()];
}

async function start(
  name: string,
  commands: readonly RoleCommand[],
  flags: Readonly<Record<string, unknown>>,
  kubeConfigOf: (file: string | undefined) => Promise<KubeConfig>,
) {
  const { kubeconfig, config, logLevel } = parse(commonSettingsSchema, flags);
  const roles = commands.map(({ role }) => role(flags));
  const kubeConfig = await kubeConfigOf(kubeconfig);
  const { schedulerName, namespace } = flags as { schedulerName?: string; namespace?: string };
  return startRoles(
    {
      kubeConfig,
      namespace: namespace ?? kubeConfig.getContextObject('inClusterContext')?.namespace ?? SYSTEM_NAMESPACE,
      ...(schedulerName !== undefined && { schedulerName }),
      ...(config !== undefined && { configurationFile: config }),
      log: createLogger(name, logLevel),
      logOf: (role) => createLogger(role, logLevel),
      random: Math.random,
      clock: systemClock,
    },
    ...roles,
  );
}

function identity(): string {
  return `${hostname()}_${randomUUID()}`;
}

/** @throws SettingsError */
function parse<T>(schema: z.ZodType<T>, flags: unknown): T {
  const parsed = schema.safeParse(flags);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${flagName(String(path[0]))}: ${message}`);
  throw new SettingsError(issues.join('\n'));
}

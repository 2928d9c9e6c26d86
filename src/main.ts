/** Roles and commands: wiring and signals only. */

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { Command } from 'commander';
import { z } from 'zod';
import { configurationSchema } from './api/configuration.ts';
import { SYSTEM_NAMESPACE } from './api/keys.ts';
import {
  commonSettingsSchema,
  controllerSettingsSchema,
  extenderSettingsSchema,
  webhookSettingsSchema,
} from './api/settings.ts';
import { ConfigurationError, readConfiguration } from './app/configuration-watch.ts';
import { startController } from './app/controller.ts';
import { startExtender } from './app/extender.ts';
import { startWebhook } from './app/webhook.ts';
import { addDecide } from './cli/decide/command.ts';
import { InputError } from './cli/input-error.ts';
import { addSimulate } from './cli/simulate/command.ts';
import { strategyNames } from './core/strategies/registry.ts';
import { KubeError } from './kube/kube-client.ts';
import { createLogger } from './telemetry/logger.ts';
import { CertificateSettingsError } from './webhook/certificates/certificate-manager.ts';
import { certificateSource } from './webhook/certificates/settings.ts';

interface Running {
  readonly url: string;
  close(): Promise<void>;
}

const program = new Command('gpu-autoscaler')
  .description('Packs many Kubernetes workloads on few NVIDIA GPUs.')
  .version(version(), '--version')
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError('(--help tells what there is)')
  .exitOverride((exit) => process.exit(exit.exitCode === 0 ? 0 : 2))
  .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, ~/.kube/config, or the service account)')
  .option(
    '--config <file>',
    'configuration, YAML: binPacking, sharing, admissionWebhook, reconciler; read again when it changes',
  )
  .option('--log-level <level>', 'fatal, error, warn, info, debug, trace or silent (default: info)');

withLeaseOption(
  withExtenderOptions(program.command('extender').description('Scheduler extender: filter, prioritize, bind.')),
).action((_options, command: Command) => run(command, [extender]));
withWebhookOptions(program.command('webhook').description('Admission webhook: decides how a pod may share.')).action(
  (_options, command: Command) => run(command, [webhook]),
);
withControllerOptions(
  withLeaseOption(
    withInstallationOptions(
      program.command('controller').description('Partitions GPUs, keeps statuses, finds missed pods.'),
    ),
  ),
).action((_options, command: Command) => run(command, [controller]));
withControllerOptions(
  withLeaseOption(
    withWebhookOptions(withExtenderOptions(program.command('all').description('All of them in one process.'))),
  ),
).action((_options, command: Command) => run(command, [extender, webhook, controller]));

addSimulate(program, process.env);
addDecide(program, { kubeConfig, now: () => new Date() });

function withLeaseOption(command: Command): Command {
  return command.option(
    '--lease-namespace <name>',
    'of the Leases that only one extender and one controller of a cluster hold (default: kube-system)',
  );
}

function withExtenderOptions(command: Command): Command {
  return command
    .option('--extender-host <address>', 'address to listen on (default: 127.0.0.1; it has no authentication)')
    .option('--extender-port <port>', 'port to listen on (default: 8888)')
    .option('--strategy <name>', `${strategyNames.join(', ')}, instead of the configuration's (default: bestfit)`)
    .option(
      '--narrowing <on|off>',
      'name the best node alone where nobody else has a say, instead of the configuration (default: on)',
    )
    .option(
      '--compare-interval <seconds>',
      'how often the ledger is compared with the API server (default: 60; 0: never)',
    );
}

function withControllerOptions(command: Command): Command {
  return command
    .option('--controller-host <address>', 'address of its metrics (default: 0.0.0.0)')
    .option('--controller-port <port>', 'port of its metrics (default: 8080)');
}

function withInstallationOptions(command: Command): Command {
  return command
    .option('--scheduler-name <name>', 'scheduler that optimized pods get (default: gpu-autoscaler-scheduler)')
    .option(
      '--namespace <name>',
      "where it is installed, always exempt (default: the pod's own, or gpu-autoscaler-system)",
    );
}

function withWebhookOptions(command: Command): Command {
  return withInstallationOptions(command)
    .option('--webhook-host <address>', 'address to listen on (default: 0.0.0.0)')
    .option('--webhook-port <port>', 'port to listen on (default: 8443)')
    .option(
      '--certificates <self|files>',
      'keep the certificate ourselves, in a Secret, or read files (default: self, or files if one is named)',
    )
    .option('--tls-cert-file <file>', 'certificate, PEM (default: /etc/gpu-autoscaler/tls/tls.crt)')
    .option('--tls-key-file <file>', 'its key, PEM (default: /etc/gpu-autoscaler/tls/tls.key)')
    .option('--service-name <name>', 'Service that the certificate is for (default: gpu-autoscaler-webhook)')
    .option('--register-url <url>', 'outside of a cluster: register with the API server, to be called at this URL');
}

async function extender(flags: unknown): Promise<Running> {
  const common = read(commonSettingsSchema, flags);
  const { extenderHost, extenderPort, strategy, narrowing, compareInterval, leaseNamespace } = read(
    extenderSettingsSchema,
    flags,
  );
  return startExtender({
    kubeConfig: await kubeConfig(common.kubeconfig),
    host: extenderHost,
    port: extenderPort,
    ...(strategy && { strategy }),
    ...(narrowing !== undefined && { narrowing }),
    ...(common.config !== undefined && { configurationFile: common.config }),
    compareMs: compareInterval * 1000,
    leaseNamespace,
    identity: `${hostname()}_${randomUUID()}`,
    log: createLogger('extender', common.logLevel),
    random: Math.random,
  });
}

async function webhook(flags: unknown): Promise<Running> {
  const common = read(commonSettingsSchema, flags);
  const settings = read(webhookSettingsSchema, flags);
  const config = await kubeConfig(common.kubeconfig);
  const namespace = namespaceOf(settings.namespace, config);
  // Of what is registered; decisions follow changes of the file.
  const { admissionWebhook } = common.config ? readConfiguration(common.config) : configurationSchema.parse({});
  const { failurePolicy, timeoutSeconds, namespaceSelector } = admissionWebhook;
  const exemptNamespaces = new Set([namespace, ...admissionWebhook.exemptNamespaces]);
  return startWebhook({
    kubeConfig: config,
    host: settings.webhookHost,
    port: settings.webhookPort,
    certificates: certificateSource({
      ...settings,
      failurePolicy,
      timeoutSeconds,
      namespaceSelector,
      namespace,
      exemptNamespaces,
    }),
    namespace,
    schedulerName: settings.schedulerName,
    ...(common.config !== undefined && { configurationFile: common.config }),
    log: createLogger('webhook', common.logLevel),
    random: Math.random,
    now: () => new Date(),
  });
}

async function controller(flags: unknown): Promise<Running> {
  const common = read(commonSettingsSchema, flags);
  const { controllerHost, controllerPort, leaseNamespace, schedulerName, namespace } = read(
    controllerSettingsSchema,
    flags,
  );
  const config = await kubeConfig(common.kubeconfig);
  return startController({
    kubeConfig: config,
    host: controllerHost,
    port: controllerPort,
    schedulerName,
    namespace: namespaceOf(namespace, config),
    ...(common.config !== undefined && { configurationFile: common.config }),
    leaseNamespace,
    identity: `${hostname()}_${randomUUID()}`,
    log: createLogger('controller', common.logLevel),
    random: Math.random,
    now: () => new Date(),
  });
}

/** The one that is told, or, in a cluster, the pod's own. */
function namespaceOf(told: string | undefined, config: KubeConfig): string {
  return told ?? config.getContextObject('inClusterContext')?.namespace ?? SYSTEM_NAMESPACE;
}

function read<T>(schema: z.ZodType<T>, flags: unknown): T {
  const parsed = schema.safeParse(flags);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${flagOf(path)}: ${message}`);
  throw new InputError(issues.join('\n'));
}

/** `tlsCertFile` → `--tls-cert-file` */
function flagOf(path: readonly PropertyKey[]): string {
  return `--${String(path[0]).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Of the package: one folder up from here, compiled or not. */
function version(): string {
  const manifest = JSON.parse(readText(join(import.meta.dirname, '../package.json')));
  return z.object({ version: z.string() }).parse(manifest).version;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InputError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

async function kubeConfig(file: string | undefined): Promise<KubeConfig> {
  // Its import takes 0.4 s: not for --help.
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  try {
    if (file) config.loadFromFile(file);
    else config.loadFromDefault();
  } catch (error) {
    throw new InputError(`cannot read the kubeconfig: ${(error as Error).message}`, { cause: error });
  }
  return config;
}

const ONE_ASKING_MS = 500;

async function run(command: Command, roles: readonly ((flags: unknown) => Promise<Running>)[]): Promise<void> {
  const running: Running[] = [];
  const stop = async (code: number) => {
    await Promise.all(running.map((role) => role.close()));
    process.exit(code);
  };
  // Twice means now: whoever asks again does not want to wait for requests under way. What comes at the
  // same moment is one asking: a terminal signals us, and npm passes its own on.
  let askedAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (askedAt !== undefined && now - askedAt > ONE_ASKING_MS) process.exit(1);
      if (askedAt === undefined) void stop(0);
      askedAt ??= now;
    });
  }
  try {
    for (const role of roles) running.push(await role(command.optsWithGlobals()));
  } catch (error) {
    const { message } = error as Error;
    process.stderr.write(`gpu-autoscaler ${command.name()}: ${message}\n`);
    // A KubeError this early is about the configuration.
    const kinds = [InputError, KubeError, CertificateSettingsError, ConfigurationError];
    await stop(kinds.some((kind) => error instanceof kind) ? 2 : 1);
  }
}

// `… | head` has read enough: nothing is wrong.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  // What a command asks of the cluster may fail; anything else is a fault of ours.
  if (!(error instanceof InputError || error instanceof KubeError)) throw error;
  process.stderr.write(`gpu-autoscaler: ${error.message}\n`);
  process.exitCode = error instanceof InputError ? 2 : 1;
}

/** The commands that run roles: which flags they take, what is refused, what reaches the roles. Exit codes: test/e2e/main.test.ts. */

import { KubeConfig } from '@kubernetes/client-node';
import { Command } from 'commander';
import tap, { type Test } from 'tap';
import { addRoleCommands, documentedFlags, SettingsError } from '#src/app/commands.ts';
import { waitFor } from '../../cluster/wait.ts';
import { FakeApiServer } from '../../fakes/api-server.ts';

/** Files of kubeconfigs that were asked for; and what to make of the commands. */
function setUp(kubeConfig = new KubeConfig()) {
  const files: (string | undefined)[] = [];
  const runs: { readonly name: string; readonly start: () => Promise<{ close(): Promise<void> }> }[] = [];
  const program = new Command();
  addRoleCommands(
    program,
    async (file) => {
      files.push(file);
      return kubeConfig;
    },
    async (command, start) => void runs.push({ name: command.name(), start }),
  );
  /** What the command would run. */
  const parse = async (...args: string[]) => {
    await program.parseAsync(args, { from: 'user' });
    const run = runs.pop();
    if (!run) throw new Error(`nothing would run: ${args.join(' ')}`);
    return run;
  };
  return { program, files, parse };
}

tap.test('each command runs under its name, and nothing starts before it is told to', async (t) => {
  for (const name of ['extender', 'webhook', 'controller', 'all']) {
    const { files, parse } = setUp();
    t.equal((await parse(name)).name, name);
    t.strictSame(files, []);
  }
});

/** The flags of a command without those that all of them have. */
function flagsOf(name: string): string[] {
  const command = setUp().program.commands.find((each) => each.name() === name);
  return (command?.options ?? []).map(({ long }) => String(long));
}

tap.test('a command has the flags of its role, and `all` those of all roles, each once', async (t) => {
  const [extender, webhook, controller, all] = ['extender', 'webhook', 'controller', 'all'].map(flagsOf);
  t.ok(extender?.includes('--strategy') && !extender.includes('--webhook-port'));
  t.ok(webhook?.includes('--register-url') && !webhook.includes('--lease-namespace'));
  t.ok(controller?.includes('--controller-port') && !controller.includes('--strategy'));
  t.strictSame(all, [...new Set([extender, webhook, controller].flatMap((flags) => flags ?? []))]);
});

tap.test('what the reference says of flags is what commands take', async (t) => {
  const documented = documentedFlags();
  t.strictSame(documented.map(({ key }) => key).sort(), [...new Set(documented.map(({ key }) => key))].sort());
  for (const command of ['extender', 'webhook', 'controller', 'all']) {
    const flags = documented.filter(({ commands }) => commands.includes(command)).map(({ name }) => name);
    t.strictSame(flags.sort(), flagsOf(command).sort(), command);
  }
  const everywhere = documented.filter(({ commands }) => commands.includes('every command'));
  t.strictSame(
    everywhere.map(({ name }) => name),
    setUp().program.options.map(({ long }) => long),
  );
  for (const { name, description, placeholder } of documented) t.ok(description && placeholder, name);
});

const REFUSED: readonly [args: string[], message: RegExp][] = [
  [['extender', '--strategy', 'tetris'], /^--strategy: "tetris" is not one of bestfit, /],
  [['webhook', '--service-name', 'no.such'], /^--service-name: "no\.such" is not the name of a Service$/],
  [['controller', '--controller-port', '65536'], /^--controller-port: "65536" is not a port, 0 to 65535$/],
  [['--log-level', 'loud', 'controller'], /^--log-level: "loud" is not one of /],
  [['controller', '--log-level', 'loud'], /^--log-level: "loud" is not one of /],
  [
    ['extender', '--extender-port', 'x', '--compare-interval', '-1'],
    /^--extender-port: "x" is .*\n--compare-interval: "-1" is no number of seconds$/,
  ],
  [['all', '--webhook-port', '-1'], /^--webhook-port: /],
];
for (const [args, message] of REFUSED) {
  tap.test(`refused before anybody reads the kubeconfig: ${args.join(' ')}`, async (t) => {
    const { files, parse } = setUp();
    const { start } = await parse(...args);
    const error = await start().catch((thrown) => thrown);
    t.ok(error instanceof SettingsError);
    t.match(error.message, message);
    t.strictSame(files, []);
  });
}

/** Runs the command on an API server, on free ports. */
async function run(t: Test, args: readonly string[], namespace?: string) {
  const server = await FakeApiServer.start(t);
  server.meet(/^GET \/version$/, { body: '{}' });
  const { kubeConfig } = server;
  if (namespace !== undefined) {
    // As it is within a pod.
    kubeConfig.addContext({ name: 'inClusterContext', cluster: 'fake', user: 'test', namespace });
  }
  const { files, parse } = setUp(kubeConfig);
  const { start } = await parse('--log-level', 'silent', ...args);
  const { close } = await start();
  t.teardown(close);
  return { server, files };
}

const FREE = {
  extender: ['--extender-port', '0'],
  webhook: ['--webhook-port', '0', '--webhook-host', '127.0.0.1'],
  controller: ['--controller-port', '0', '--controller-host', '127.0.0.1'],
};
const lease = (role: string, namespace = 'kube-system') =>
  new RegExp(`^GET /apis/coordination\\.k8s\\.io/v1/namespaces/${namespace}/leases/gpu-autoscaler-${role}$`);
const secret = (namespace: string) => new RegExp(`^GET /api/v1/namespaces/${namespace}/secrets/`);
/** What tells that a role has started. */
const SIGNS = { extender: lease('extender'), webhook: /^GET \/version$/, controller: lease('controller') };

for (const [name, roles] of [
  ['extender', ['extender']],
  ['webhook', ['webhook']],
  ['controller', ['controller']],
  ['all', ['extender', 'webhook', 'controller']],
] as const) {
  tap.test(`${name} starts ${roles.join(', ')}, and no other`, async (t) => {
    const { server } = await run(t, [name, ...roles.flatMap((role) => FREE[role])]);
    const starts = (role: string) => (roles as readonly string[]).includes(role);
    await waitFor('all of them have asked, and the state is watched', () => {
      return roles.every((role) => server.count(SIGNS[role]) > 0) && server.count(/^GET \/api\/v1\/nodes\?watch/) > 0;
    });
    for (const [role, sign] of Object.entries(SIGNS)) t.equal(server.count(sign) > 0, starts(role), role);
  });
}

tap.test('flags reach the roles: where its Lease is', async (t) => {
  for (const role of ['extender', 'controller'] as const) {
    const { server } = await run(t, [role, ...FREE[role], '--lease-namespace', 'ours']);
    t.equal(server.count(lease(role, 'ours')), 1, role);
  }
});

const NAMESPACES: readonly [says: string, args: string[], context: string | undefined, where: string][] = [
  ['as the flag says', ['--namespace', 'flagged'], 'own', 'flagged'],
  ['without one, where the pod runs', [], 'own', 'own'],
  ['outside of a cluster, where it is usually installed', [], undefined, 'gpu-autoscaler-system'],
];
for (const [says, args, context, where] of NAMESPACES) {
  tap.test(`the certificate is kept ${says}`, async (t) => {
    const { server } = await run(t, ['webhook', ...FREE.webhook, ...args], context);
    await waitFor('its Secret is read', () => server.count(/\/secrets\//) > 0);
    t.ok(server.count(secret(where)) > 0);
  });
}

tap.test('the kubeconfig is that of the flag, before the command or after it', async (t) => {
  const flags = ['--kubeconfig', '/some/file'];
  const after = await run(t, ['extender', ...FREE.extender, ...flags]);
  t.strictSame(after.files, ['/some/file']);
  const before = await run(t, [...flags, 'extender', ...FREE.extender]);
  t.strictSame(before.files, ['/some/file']);
  t.strictSame((await run(t, ['extender', ...FREE.extender])).files, [undefined]);
});

tap.test('a configuration that cannot be read is refused', async (t) => {
  const { parse } = setUp((await FakeApiServer.start(t)).kubeConfig);
  const { start } = await parse('controller', ...FREE.controller, '--log-level', 'silent', '--config', '/nowhere');
  await t.rejects(start(), { name: 'ConfigurationError', message: /^cannot read \/nowhere: / });
});

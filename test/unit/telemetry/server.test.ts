/** What every role's HTTP server does with connections. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import tap from 'tap';
import { createRegistry } from '#src/telemetry/registry.ts';
import { createServer } from '#src/telemetry/server.ts';

tap.test('a request that never ends does not keep the server from ending', async (t) => {
  const server = createServer({
    log: pino({ level: 'silent' }),
    registry: createRegistry(),
    notReadyReason: () => undefined,
    bodyLimit: 1024,
  });
  server.post('/echo', (request) => request.body);
  const { port } = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write('POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{');
  const broken = once(socket, 'close');
  socket.on('error', () => {});
  const [request] = await Promise.all([once(server.server, 'request')]);
  t.ok(request);

  const started = performance.now();
  await server.close();
  await broken;
  t.ok(performance.now() - started < 10_000, 'within the 5 s of grace, and a little');
});

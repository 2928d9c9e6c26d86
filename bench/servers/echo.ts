/** The floor: a server that reads the request, and answers filter with all names, prioritize with ten scores. */

import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const server = createServer(async (request, response) => {
  const { NodeNames } = JSON.parse(await text(request)) as { NodeNames: string[] };
  const reply =
    request.url === '/filter'
      ? { NodeNames, FailedNodes: {}, FailedAndUnresolvableNodes: {}, Error: '' }
      : NodeNames.map((Host, i) => ({ Host, Score: Math.max(0, 10 - i) }));
  response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as { port: number }).port }));
process.on('disconnect', () => process.exit());

// Serves the built page, the boards, Grafana's icons and fonts, and Prometheus under /prometheus/. Loopback only.
import { createReadStream, existsSync, statSync } from 'node:fs';
import http from 'node:http';
import { extname, join, normalize } from 'node:path';

const prometheus = new URL(process.env.PROMETHEUS ?? 'http://127.0.0.1:9090');
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
};
// prefix of the path -> folder; the first that fits
const folders = [
  ['/boards/', 'boards'],
  ['/grafana-public/build/img/', 'node_modules/@grafana/ui/dist/public/img'],
  ['/grafana-public/fonts/inter/', '/usr/share/fonts/opentype/inter'],
  ['/', '../build/dashboards'],
];

function forward(path, request, response) {
  const options = {
    host: prometheus.hostname,
    port: prometheus.port,
    method: request.method,
    path,
    headers: { 'content-type': request.headers['content-type'] ?? '' },
  };
  const asked = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' });
    answer.pipe(response);
  });
  asked.on('error', (error) => response.writeHead(502).end(String(error)));
  request.pipe(asked);
}

export function serve(port) {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname.startsWith('/prometheus/')) {
      forward(url.pathname.slice('/prometheus'.length) + url.search, request, response);
      return;
    }
    const [prefix, folder] = folders.find(([start]) => url.pathname.startsWith(start));
    const inside = normalize(`/${url.pathname.slice(prefix.length) || 'index.html'}`).replace('.woff2', '.otf');
    const file = join(folder, inside);
    if (!existsSync(file) || statSync(file).isDirectory()) {
      response.writeHead(404).end();
      return;
    }
    const headers = { 'content-type': types[extname(file)] ?? 'application/octet-stream' };
    // Their names change with them; what Chromium keeps it need not compile again for each board.
    if (url.pathname.startsWith('/assets/')) headers['cache-control'] = 'max-age=86400, immutable';
    response.writeHead(200, headers);
    createReadStream(file).pipe(response);
  });
  return new Promise((listening) => server.listen(port, '127.0.0.1', () => listening(server)));
}

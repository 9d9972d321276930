// Asks a live Prometheus every question of every board: PROMETHEUS=http://127.0.0.1:9090 node tools/queries.mjs
// promtool checks syntax and types; an answer must not be empty or NaN alone, except where emptiness is good news.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expressions, readBoards, substitute } from './boards.mjs';

const prometheus = process.env.PROMETHEUS ?? 'http://127.0.0.1:9090';
const ranges = { __rate_interval: '1m', __interval: '15s', __range: '10m' };
const all = readBoards()
  .flatMap(expressions)
  .map((item) => ({ ...item, expr: substitute(item.expr, ranges, () => '.+') }));
let bad = 0;
function say(text) {
  bad++;
  console.log(text);
}

const work = mkdtempSync(join(tmpdir(), 'fettle-queries-'));
const rules = all.map(({ expr }, i) => ({ record: `board:${i}`, expr }));
writeFileSync(join(work, 'rules.yml'), JSON.stringify({ groups: [{ name: 'boards', rules }] }));
try {
  execFileSync('promtool', ['check', 'rules', '--lint=none', join(work, 'rules.yml')], { stdio: 'pipe' });
} catch (error) {
  say(`promtool: ${error.stdout}${error.stderr}`);
} finally {
  rmSync(work, { recursive: true });
}

const hasNumber = (series) => series.values.some(([, value]) => Number.isFinite(Number(value)));
const end = Date.now() / 1000;
for (const { where, expr, mayBeEmpty } of all) {
  const body = new URLSearchParams({ query: expr, start: end - 600, end, step: 15 });
  const answer = await (await fetch(`${prometheus}/api/v1/query_range`, { method: 'POST', body })).json();
  if (answer.status !== 'success') say(`${where}: ${answer.error}: ${expr}`);
  else if (!answer.data.result.some(hasNumber) && !mayBeEmpty) say(`${where}: no answer: ${expr}`);
}
console.log(`queries: ${all.length} asked, ${bad} findings`);
process.exit(bad ? 1 : 0);

// Draws every board in Chromium, dark and light, into ../build/dashboard-shots/. Fails on a script error, an HTTP error,
// a panel with an error or without data, a panel that painted nothing, a query that failed.
// PROMETHEUS=http://127.0.0.1:9090 FROM=now-5m node tools/shots.mjs [UID]...
// With UIDs only these boards.
import { mkdirSync } from 'node:fs';
import puppeteer from 'puppeteer-core';
import { mayBeEmpty, readBoards } from './boards.mjs';
import { serve } from './serve.mjs';

const folder = '../build/dashboard-shots';
const from = process.env.FROM ? `&from=${process.env.FROM}` : '';
// What a link from another board would choose.
const chosen = { 'fettle-service': '&var-service=order', 'fettle-node': '&var-instance=shop-1:10911' };
const rowPixels = 38; // 30 and a gap of 8

// Runs in the page.
function inspect() {
  const panels = [...document.querySelectorAll('[data-viz-panel-key]')];
  const title = (element) => element.closest('[data-viz-panel-key]')?.querySelector('h2')?.textContent;
  const contentOf = (panel) => panel.querySelector('[data-testid="data-testid panel content"]');
  const painted = (panel) => contentOf(panel)?.querySelector('canvas,svg,table,[role=grid],span,p');
  // A number that there is none of says so.
  const isEmpty = (panel) => /^(No data|NaN)$/.test(contentOf(panel)?.innerText.trim());
  return {
    count: panels.length,
    empty: panels.filter(isEmpty).map(title),
    failed: [...document.querySelectorAll('[data-testid*="Panel status error"], [aria-label="Panel status"]')].map(
      title,
    ),
    unpainted: panels.filter((panel) => !painted(panel)).map(title),
    // A variable that Grafana does not know.
    links: [...document.querySelectorAll('a[href*="/d/fettle-"]')]
      .map((a) => a.href)
      .filter((url) => /[$]\{|%24%7B/i.test(url)),
    queries: (window.askedOfPrometheus ?? []).filter((q) => q.error).map((q) => `${q.error}: ${q.expr}`),
  };
}

const isDrawn = (panel) => panel.type !== 'row';

// Waits until the board is drawn, looks at it, and keeps a picture.
async function shoot(page, board, theme, problems) {
  const say = (text) => problems.add(`${theme}: ${text}`);
  // Variables are asked for first, then panels, then annotations, and each needs a moment to be drawn.
  const queries = [...board.panels.flatMap((panel) => panel.targets ?? []), ...board.annotations.list].length;
  const answered = (count) => window.askedOfPrometheus?.length >= count;
  await page.waitForFunction(answered, { timeout: 30000 }, queries).catch(() => say('queries without answer'));
  let found;
  for (let tries = 0; tries < 10; tries++) {
    await new Promise((drawn) => setTimeout(drawn, 500));
    found = await page.evaluate(inspect);
    if (tries > 0 && !found.empty.length && !found.unpainted.length) break;
  }
  const wanted = board.panels.filter(isDrawn).length;
  if (found.count !== wanted) say(`${found.count} panels drawn, the board has ${wanted}`);
  for (const name of found.empty) if (!mayBeEmpty.has(name)) say(`no data: ${name}`);
  for (const name of found.failed) say(`error: ${name}`);
  for (const name of found.unpainted) if (!found.empty.includes(name)) say(`nothing painted: ${name}`);
  for (const url of found.links) say(`link: ${url}`);
  for (const text of found.queries) say(`query: ${text}`);
  await page.screenshot({ path: `${folder}/${board.uid}-${theme}.png` });
}

async function draw(browser, port, board) {
  const page = await browser.newPage();
  const problems = new Set();
  page.on('pageerror', (error) => problems.add(`script: ${error.stack ?? error}`));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) problems.add(`console: ${text}`);
  });
  page.on('response', (response) => {
    // One icon and the fonts are not in the packages.
    if (response.status() >= 400 && !response.url().includes('/grafana-public/'))
      problems.add(`${response.status()} ${response.url()}`);
  });
  // Taller than the board: a full-page shot would resize the page and blank the grid.
  const rows = Math.max(...board.panels.map((panel) => panel.gridPos.y + panel.gridPos.h));
  await page.setViewport({ width: 1600, height: rows * rowPixels + 160 });
  const url = `http://127.0.0.1:${port}/?uid=${board.uid}&theme=dark${from}${chosen[board.uid] ?? ''}`;
  await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 60000 });
  await shoot(page, board, 'dark', problems);
  await page.evaluate(() => {
    window.askedOfPrometheus.length = 0;
    window.drawIn('light');
  });
  await shoot(page, board, 'light', problems);
  await page.close();
  console.log(`shots: ${board.uid}, ${board.panels.filter(isDrawn).length} panels, ${problems.size} findings`);
  for (const problem of problems) console.log(`  ${problem}`);
  return problems.size;
}

mkdirSync(folder, { recursive: true });
const server = await serve(0);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb', '--hide-scrollbars'],
});
// Two at a time: each waits for answers more than it draws.
let findings = 0;
const only = process.argv.slice(2);
const open = readBoards().filter((board) => !only.length || only.includes(board.uid));
async function drawOpen() {
  while (open.length) findings += await draw(browser, server.address().port, open.shift());
}
await Promise.all([drawOpen(), drawOpen()]);
await browser.close();
server.close();
process.exit(findings ? 1 : 0);

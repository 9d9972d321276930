// House rules for boards: what grafana/dashboard-linter asks for, and what we ask for on top.
import * as unitNames from '@grafana/grafana-foundation-sdk/units';
import { parser } from '@prometheus-io/lezer-promql';
import { readBoards, substitute } from './boards.mjs';

const units = new Set([...Object.values(unitNames), 'short', 'none', 'string']);
const ranges = { __rate_interval: '4242s', __interval: '4243s', __range: '4244s' };
let findings = 0;
function finding(where, text) {
  findings++;
  console.log(`${where}: ${text}`);
}

const ours = (datasource) => datasource?.uid === '${datasource}';

function lintVariables(board) {
  const list = board.templating?.list ?? [];
  const sources = list.filter((v) => v.type === 'datasource');
  if (sources.length !== 1 || sources[0].name !== 'datasource' || sources[0].label !== 'Data source')
    finding(board.uid, 'needs one data source variable, named datasource, labelled "Data source"');
  if (sources[0]?.current?.value) finding(board.uid, 'the data source variable has a stored value');
  for (const name of ['job', 'instance']) {
    const variable = list.find((v) => v.name === name);
    if (variable?.type !== 'query' || !variable.multi || variable.allValue !== '.+' || variable.refresh !== 2)
      finding(board.uid, `variable ${name} must exist: query, multi, allValue .+, refreshed with the time range`);
  }
  for (const variable of list.filter((v) => v.type === 'query')) {
    if (!ours(variable.datasource)) finding(board.uid, `variable ${variable.name}: another data source`);
    if (!/^label_values\(.+, \w+\)$/.test(variable.query?.query ?? ''))
      finding(board.uid, `variable ${variable.name}: not a query for label values`);
  }
}

function lintBoard(board, seen) {
  if (!/^[a-z0-9-]{3,40}$/.test(board.uid ?? '')) finding(board.title, 'the uid must be set: a-z, 0-9 and -');
  if (seen.has(board.uid)) finding(board.uid, 'a second board has this uid');
  seen.add(board.uid);
  if (board.id !== null) finding(board.uid, 'id must be null');
  if (board.editable !== false) finding(board.uid, 'editable must be false: the source is code');
  if (board.__inputs) finding(board.uid, '__inputs is not filled in when boards are provisioned from files');
  for (const key of ['description', 'refresh']) if (!board[key]) finding(board.uid, `no ${key}`);
  for (const key of ['tags', 'links']) if (!board[key]?.length) finding(board.uid, `no ${key}`);
  for (const annotation of board.annotations.list) {
    const where = `${board.uid} / annotation ${annotation.name}`;
    if (!annotation.builtIn && !ours(annotation.datasource)) finding(where, 'another data source');
    if (annotation.expr) lintQuery(where, annotation.expr);
  }
  lintVariables(board);
}

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

function lintUnits(where, panel) {
  const overrides = (panel.fieldConfig?.overrides ?? []).flatMap((o) => o.properties);
  const used = [panel.fieldConfig?.defaults?.unit, ...overrides.filter((o) => o.id === 'unit').map((o) => o.value)];
  for (const unit of used.filter(Boolean)) if (!units.has(unit)) finding(where, `Grafana has no unit ${unit}`);
  const mapped = panel.fieldConfig?.defaults?.mappings?.length || overrides.some((o) => o.id === 'mappings');
  if (!used.some(Boolean) && !mapped) finding(where, 'no unit and no value mappings');
}

// The function directly around a selector, "" if there is none.
function callAround(node, text) {
  const call = node?.parent;
  return call?.name === 'FunctionCall' ? text.slice(call.firstChild.from, call.firstChild.to) : '';
}

// A recording whose name says that it is of a service over all nodes, or a selector that asks for just such series.
const hasNoInstance = (selector) => /^service(_probe)?:/.test(selector) || selector.includes('instance=""');

function lintQuery(where, expr) {
  const text = substitute(expr, ranges, (name) => `VAR_${name}`);
  // What parts.ts adds for the event that a counter is born with: of the few that are not there before.
  const born = [...text.matchAll(/\((\w+_total\{[^}]*\}) == 1 unless \1 offset 4242s\)/g)];
  for (const [, counter] of born)
    if (!/^fettle_(probe_failures|recovery_blocked)_total\{/.test(counter))
      finding(where, `a birth of a counter that begins at 0: ${counter}`);
  const isOfBirth = (node) => born.some((found) => node.from > found.index && node.to < found.index + found[0].length);
  parser.parse(text).iterate({
    enter(node) {
      const part = text.slice(node.from, node.to);
      if (node.type.isError) finding(where, `PromQL: cannot be parsed at ${node.from}: ${text}`);
      if (node.name === 'VectorSelector') {
        for (const label of ['job', 'instance'])
          if (!part.includes(`${label}=~"VAR_${label}"`) && !(label === 'instance' && hasNoInstance(part)))
            finding(where, `no ${label}=~"$${label}" in ${part}`);
        const matrix = node.node.parent;
        const around = matrix?.name === 'MatrixSelector' ? callAround(matrix.parent, text) : '';
        if (/^\w+_total\b/.test(part) && !isOfBirth(node) && !/^(rate|irate|increase)$/.test(around))
          finding(where, `a counter outside of rate, irate and increase: ${part}`);
      }
      if (node.name === 'MatrixSelector' && /^i?rate$/.test(callAround(node.node.parent, text)))
        if (!part.endsWith(`[${ranges.__rate_interval}]`))
          finding(where, `a rate over another range than $__rate_interval: ${part}`);
    },
  });
}

// A link to another board leads to one that there is, and keeps the data source, the job and the time.
function lintLinks(where, panel) {
  const overrides = (panel.fieldConfig?.overrides ?? []).flatMap((o) => o.properties);
  const inCells = overrides.filter((o) => o.id === 'links').flatMap((o) => o.value);
  for (const { title, url } of [...(panel.fieldConfig?.defaults?.links ?? []), ...inCells]) {
    // To an agent: tests/e2e/documented_test.py follows it.
    if (/^http:\/\/\$\{__(data\.fields\.Node|field\.labels\.instance)\}\/services\//.test(url)) continue;
    const target = boards.find((board) => url.startsWith(`/d/${board.uid}?`));
    if (!target) finding(where, `link ${title}: no board has this uid: ${url}`);
    for (const part of ['${datasource:queryparam}', '${job:queryparam}', '${__url_time_range}'])
      if (!url.includes(part)) finding(where, `link ${title}: no ${part}`);
    for (const [, name] of url.matchAll(/\bvar-(\w+)=/g))
      if (!target?.templating.list.some((variable) => variable.name === name))
        finding(where, `link ${title}: the board has no variable ${name}`);
  }
}

function lintPanels(board) {
  const panels = board.panels;
  for (const key of ['id', 'title'])
    if (new Set(panels.map((p) => p[key])).size !== panels.length) finding(board.uid, `two panels with one ${key}`);
  for (const panel of panels) {
    const where = `${board.uid} / ${panel.title || panel.id}`;
    const place = panel.gridPos;
    if (!panel.id || !panel.title) finding(where, 'no id or no title');
    if (place.x + place.w > 24) finding(where, 'reaches beyond the 24 columns');
    for (const other of panels)
      if (other.id > panel.id && overlap(place, other.gridPos)) finding(where, `lies over ${other.title}`);
    if (panel.type === 'row') continue;
    if (!panel.description) finding(where, 'no description');
    if (!ours(panel.datasource)) finding(where, 'another data source');
    if (!panel.targets?.length) finding(where, 'no query');
    lintUnits(where, panel);
    lintLinks(where, panel);
    for (const target of panel.targets ?? []) {
      if (!ours(target.datasource)) finding(where, `query ${target.refId}: another data source`);
      if (panel.type === 'timeseries' && !target.legendFormat) finding(where, `query ${target.refId}: no legend`);
      lintQuery(`${where} / ${target.refId}`, target.expr);
    }
  }
}

const boards = readBoards();
const seen = new Set();
for (const board of boards) {
  lintBoard(board, seen);
  lintPanels(board);
}
console.log(`lint: ${boards.length} boards, ${findings} findings`);
process.exit(findings ? 1 : 0);

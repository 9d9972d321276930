// What all boards of the set share: variables, links, annotations, queries, legends.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export const dataSource = { type: 'prometheus', uid: '${datasource}' };
// Every selector of every query carries these; the second also follows the choice of services.
export const node = 'job=~"$job",instance=~"$instance"';
export const service = `${node},service=~"$service"`;
// Alerts about all nodes together have no instance.
export const fleet = 'job=~"$job",instance=""';
const tag = 'fettle';

const manyOf = (name: string, label: string, query: string, description: string) =>
  new dashboard.QueryVariableBuilder(name)
    .label(label)
    .description(description)
    .datasource(dataSource)
    .query({ query, refId: `variable-${name}`, qryType: 1 } as never)
    .definition(query)
    .multi(true)
    .includeAll(true)
    .allValue('.+')
    .current({ selected: true, text: ['All'], value: ['$__all'] } as never)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc);

const annotation = (name: string, color: string, expr: string) =>
  new dashboard.AnnotationQueryBuilder()
    .name(name)
    .datasource(dataSource)
    .enable(true)
    .hide(false)
    .iconColor(color)
    .expr(expr)
    .textFormat('{{service}} on {{instance}}')
    .step('10s');

// One that is about the agents themselves has no choice of services.
export function board(uid: string, title: string, description: string, about: 'services' | 'agents' = 'services') {
  const chosen = about === 'services' ? service : node;
  const made = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([tag])
    .refresh('30s')
    .time({ from: 'now-30m', to: 'now' })
    .timezone('browser')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource')
        .label('Data source')
        .type('prometheus')
        .description('A Prometheus that scrapes the agents, or one agent itself'),
    )
    .withVariable(manyOf('job', 'Job', 'label_values(fettle_build_info, job)', 'Scrape job of the agents'))
    .withVariable(manyOf('instance', 'Instance', 'label_values(fettle_build_info{job=~"$job"}, instance)', 'Node'))
    .link(
      new dashboard.DashboardLinkBuilder('fettle')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags([tag])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true)
        .icon('external link')
        .tooltip('The other boards of this set'),
    )
    .annotation(
      // Their begin: one that lasts would colour the whole time.
      annotation(
        'Alerts',
        'red',
        `ALERTS{alertstate="firing",${chosen}} unless ALERTS{alertstate="firing",${chosen}} offset $__rate_interval`,
      )
        .titleFormat('{{alertname}}')
        .tagKeys('alertname,severity,service'),
    )
    .annotation(
      annotation('Recovery actions', 'blue', `increase(fettle_recovery_actions_total{${chosen}}[$__rate_interval]) > 0`)
        .titleFormat('{{action}} {{result}}')
        .tagKeys('action,result'),
    )
    .annotation(
      annotation('Incidents ended', 'green', `increase(fettle_incidents_total{${chosen}}[$__rate_interval]) > 0`)
        .titleFormat('incident ended: {{end}}')
        .tagKeys('end,service'),
    );
  if (about === 'agents') return made;
  return made.withVariable(
    manyOf('service', 'Service', `label_values(fettle_service_info{${node}}, service)`, 'Watched service'),
  );
}

// Links to another board of the set, with the time range and the variables that it does not set itself. A node is shown
// with all of its services.
const kept = '${datasource:queryparam}&${job:queryparam}&${__url_time_range}';
export const toService = (name: string) => ({
  title: 'This service',
  url: `/d/fettle-service?${kept}&\${instance:queryparam}&var-service=${name}`,
});
export const toNode = (name: string) => ({
  title: 'This node',
  url: `/d/fettle-node?${kept}&var-instance=${name}`,
});
export const toBoard = (uid: string, title: string) => ({
  title,
  url: `/d/${uid}?${kept}&\${instance:queryparam}&\${service:queryparam}`,
});
// From a board to the page of the agent that watches the service: `instance` is where it answers. By http, as a board cannot
// know of TLS.
export const toAgent = (instance: string, name: string) => ({
  title: "The agent's page of it",
  url: `http://${instance}/services/${name}`,
  targetBlank: true,
});
export const agentOfSeries = toAgent('${__field.labels.instance}', '${__field.labels.service}');
// As a panel's builder takes them; its own type is of links that a board has.
export const dataLinks = (...links: Array<ReturnType<typeof toService> | typeof agentOfSeries>) =>
  links.map((each) => ({ build: () => each as unknown as dashboard.DashboardLink }));

export const query = (expr: string, legend: string, refId = 'A') =>
  new prometheus.DataqueryBuilder().expr(expr).legendFormat(legend).refId(refId).range().datasource(dataSource);

export const tableQuery = (expr: string, refId: string) =>
  new prometheus.DataqueryBuilder()
    .expr(expr)
    .refId(refId)
    .instant()
    .format(prometheus.PromQueryFormat.Table)
    .datasource(dataSource);

export type Step = { value: number | null; color: string };
export const from = (color: string, ...steps: Array<[number, string]>): Step[] => [
  { value: null, color },
  ...steps.map(([value, name]) => ({ value, color: name })),
];
export const thresholds = (steps: Step[]) =>
  new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps);

export const legendBelow = () =>
  new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.List)
    .placement(common.LegendPlacement.Bottom)
    .showLegend(true)
    .calcs([]);

export const legendBeside = () =>
  new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.Table)
    .placement(common.LegendPlacement.Right)
    .showLegend(true)
    .calcs(['max', 'lastNotNull']);

export const number = (title: string, description: string, expr: string, unit: string, steps: Step[]) =>
  new stat.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(dataSource)
    .unit(unit)
    .height(4)
    .span(4)
    .withTarget(query(expr, title))
    .thresholds(thresholds(steps))
    .colorMode(common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.Area)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false));

export const lines = (title: string, description: string, unit: string, expr: string, legend: string) =>
  new timeseries.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(dataSource)
    .unit(unit)
    .min(0)
    .height(8)
    .span(12)
    .lineWidth(1)
    .fillOpacity(10)
    .legend(legendBelow())
    .withTarget(query(expr, legend));

// Events of the last interval by labels.
export const events = (by: string, counter: string) => `sum by (${by}) (increase(${counter}[$__rate_interval]) > 0)`;

// The same of a counter that is not there before its first event (packaging/doc/metrics.md says which are such):
// increase() misses the event that a counter is born with.
export const eventsFromBirth = (by: string, counter: string) =>
  `sum by (${by}) (increase(${counter}[$__rate_interval]) > 0 or ` +
  `(${counter} == 1 unless ${counter} offset $__rate_interval))`;

// Counts of events: a bar per step, stacked.
export const counts = (title: string, description: string, expr: string, legend: string) =>
  lines(title, description, 'short', expr, legend)
    .span(6)
    .decimals(0)
    .noValue('None in this time')
    .drawStyle(common.GraphDrawStyle.Bars)
    .fillOpacity(70)
    .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'));

export const upOrDown = [
  {
    type: 'value',
    options: { '0': { text: 'down', color: 'red', index: 0 }, '1': { text: 'up', color: 'green', index: 1 } },
  } as unknown as dashboard.ValueMapping,
];

// Words for numbers: words([0, 'no', 'red'], [1, 'yes', 'green']).
export const words = (...all: Array<[number, string, string]>) => [
  {
    type: 'value',
    options: Object.fromEntries(all.map(([value, text, color], index) => [String(value), { text, color, index }])),
  } as unknown as dashboard.ValueMapping,
];

// A row of bars for each series, coloured by what the values mean.
export const states = (
  title: string,
  description: string,
  mappings: dashboard.ValueMapping[],
  expr: string,
  legend: string,
) =>
  new statetimeline.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(dataSource)
    .height(8)
    .span(24)
    .mappings(mappings)
    .thresholds(thresholds(from('text')))
    .mergeValues(true)
    .showValue(common.VisibilityMode.Never)
    .rowHeight(0.85)
    .legend(legendBelow())
    .withTarget(query(expr, legend));

type Property = { id: string; value: unknown };
type Link = ReturnType<typeof toService>;
export type Key = { label: string; title: string; link?: Link; width?: number };
export type Column = { title: string; expr: string; show?: Property[] };

export const unit = (name: string, decimals?: number): Property[] => [
  { id: 'unit', value: name },
  ...(decimals === undefined ? [] : [{ id: 'decimals', value: decimals }]),
];
export const coloured = (how: 'color-text' | 'color-background' | 'gauge', steps: Step[]): Property[] => [
  { id: 'custom.cellOptions', value: how === 'color-text' ? { type: how } : { type: how, mode: 'basic' } },
  { id: 'thresholds', value: { mode: 'absolute', steps } },
];
export const worded = (mappings: dashboard.ValueMapping[], how: 'color-text' | 'color-background'): Property[] => [
  { id: 'mappings', value: mappings },
  { id: 'custom.cellOptions', value: how === 'color-text' ? { type: how } : { type: how, mode: 'basic' } },
];
export const wide = (pixels: number): Property => ({ id: 'custom.width', value: pixels });

export const serviceKey: Key = { label: 'service', title: 'Service', link: toService('${__data.fields.Service}') };
export const nodeKey: Key = { label: 'instance', title: 'Node', link: toNode('${__data.fields.Node}'), width: 130 };

// A row for each set of keys, a column for each question.
export function rows(title: string, description: string, keys: Key[], columns: Column[]) {
  const refId = (index: number) => String.fromCharCode(65 + index);
  // A lone query calls its column Value.
  const field = (index: number) => (columns.length === 1 ? 'Value' : `Value #${refId(index)}`);
  let panel = new table.PanelBuilder()
    .title(title)
    .description(description)
    .datasource(dataSource)
    .height(8)
    .span(24)
    .minWidth(70)
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries([
          ...keys.map(({ label }, index) => [label, index]),
          ...columns.map((_, index) => [field(index), keys.length + index]),
        ]),
        renameByName: Object.fromEntries([
          ...keys.map(({ label, title }) => [label, title]),
          ...columns.map(({ title }, index) => [field(index), title]),
        ]),
      },
    });
  columns.forEach(({ expr }, index) => (panel = panel.withTarget(tableQuery(expr, refId(index)))));
  const agents = keys.includes(nodeKey) ? [toAgent('${__data.fields.Node}', '${__data.fields.Service}')] : [];
  for (const { title, link, width } of keys)
    panel = panel.overrideByName(title, [
      ...(link ? [{ id: 'links', value: title === serviceKey.title ? [link, ...agents] : [link] }] : []),
      ...(width ? [{ id: 'custom.width', value: width }] : []),
    ]);
  for (const { title, show } of columns) if (show) panel = panel.overrideByName(title, show);
  return panel;
}

const sortedBy = (title: string, desc: boolean) => [
  new common.TableSortByFieldStateBuilder().displayName(title).desc(desc),
];
export const descending = (title: string) => sortedBy(title, true);
export const ascending = (title: string) => sortedBy(title, false);

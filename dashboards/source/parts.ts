// What all boards of the set share: variables, links, annotations, queries, legends.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';

export const dataSource = { type: 'prometheus', uid: '${datasource}' };
// Every selector of every query carries these; the second also follows the choice of services.
export const node = 'job=~"$job",instance=~"$instance"';
export const service = `${node},service=~"$service"`;
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

export function board(uid: string, title: string, description: string) {
  return new dashboard.DashboardBuilder(title)
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
    .withVariable(
      manyOf('service', 'Service', `label_values(fettle_service_info{${node}}, service)`, 'Watched service'),
    )
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
      annotation('Alerts', 'red', `ALERTS{alertstate="firing",${service}}`)
        .titleFormat('{{alertname}}')
        .tagKeys('alertname,severity,service'),
    )
    .annotation(
      annotation(
        'Recovery actions',
        'blue',
        `increase(fettle_recovery_actions_total{${service}}[$__rate_interval]) > 0`,
      )
        .titleFormat('{{action}} {{result}}')
        .tagKeys('action,result'),
    );
}

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

// Counts of events: a bar per step, stacked.
export const counts = (title: string, description: string, expr: string, legend: string) =>
  lines(title, description, 'short', expr, legend)
    .span(6)
    .drawStyle(common.GraphDrawStyle.Bars)
    .fillOpacity(70)
    .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'));

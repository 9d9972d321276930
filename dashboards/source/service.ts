// One service: does it keep its objective, since when is it not well, and which probe, phase or dependency says so.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  agentOfSeries,
  board,
  coloured,
  counts,
  dataLinks,
  descending,
  eventsFromBirth,
  from,
  legendBeside,
  lines,
  node,
  number,
  query,
  rows,
  service,
  serviceKey,
  states,
  thresholds,
  toNode,
  toService,
  unit,
  upOrDown,
} from './parts';

// The recordings of rules/central/slo.yml are of a service over all its nodes.
const recorded = 'job=~"$job",service=~"$service"';
const budget = 0.001;
const burn = (window: string) => `max((1 - service:fettle_service_up:avg${window}{${recorded}}) / ${budget})`;
const burnOfEach = (window: string) =>
  `max by (service) ((1 - service:fettle_service_up:avg${window}{${recorded}}) / ${budget})`;
const budgetLeft = `1 - (1 - service:fettle_service_up:avg30d{${recorded}}) / ${budget}`;
const burnt = [
  ...unit('short', 1),
  ...coloured('color-text', from('green', [1, 'yellow'], [6, 'orange'], [14.4, 'red'])),
];

// How what it depends on is, where it runs.
const dependencies =
  `max by (service, depends_on, instance) (fettle_service_dependency{${service}} * on (job, instance, depends_on) ` +
  `group_left () label_replace(fettle_service_up{${node}}, "depends_on", "$1", "service", "(.+)"))`;

export const serviceBoard = board(
  'fettle-service',
  'fettle / Service',
  'One service, or several beside each other: its error budget, its health over time, its probes and what it depends on.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'State',
      'The health after the thresholds; of several services or nodes the worst.',
      `min(fettle_service_up{${service}})`,
      'short',
      from('text'),
    )
      .mappings(upOrDown)
      .graphMode(common.BigValueGraphMode.None),
  )
  .withPanel(
    number(
      'Up over the range',
      'Part of the shown range in which the service was up; of several the mean.',
      `avg(avg_over_time(fettle_service_up{${service}}[$__range]))`,
      'percentunit',
      from('red', [0.99, 'yellow'], [0.999, 'green']),
    ).decimals(2),
  )
  .withPanel(
    number(
      'Error budget left',
      'Of the 0.1 % of 30 days that the service may be down (rules/central/slo.yml); below 0 the objective is missed.',
      `min(${budgetLeft})`,
      'percentunit',
      from('red', [0, 'orange'], [0.25, 'green']),
    ).decimals(0),
  )
  .withPanel(
    number(
      'Burn rate',
      'Of the last hour: at 1 the budget lasts for 30 days, at 14.4 for two. ServiceBudgetBurn pages from there on.',
      burn('1h'),
      'short',
      from('green', [1, 'yellow'], [6, 'orange'], [14.4, 'red']),
    ).decimals(1),
  )
  .withPanel(
    number(
      'Slowest probe',
      'The longest last run of its probes.',
      `max(probe_duration_seconds{${service}})`,
      's',
      from('green', [0.25, 'yellow'], [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Attempts left',
      'Runs that its recovery plan may still start, of several the fewest; at 0 a person is needed.',
      `min(fettle_recovery_attempts_left{${service}})`,
      'short',
      from('red', [1, 'orange'], [2, 'green']),
    ),
  )
  .withRow(new dashboard.RowBuilder('Objective'))
  .withPanel(
    lines(
      'Burn rate by window',
      'How fast the error budget is used, over the windows of the alert ServiceBudgetBurn; of several services the fastest. The lines are at 1, 3, 6 and 14.4.',
      'short',
      burn('5m'),
      '5 minutes',
    )
      .span(12)
      .thresholds(thresholds(from('transparent', [1, 'green'], [3, 'yellow'], [6, 'orange'], [14.4, 'red'])))
      .thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed))
      .fillOpacity(0)
      .scaleDistribution(
        new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Symlog).log(10).linearThreshold(1),
      )
      .withTarget(query(burn('1h'), '1 hour', 'B'))
      .withTarget(query(burn('6h'), '6 hours', 'C'))
      .withTarget(query(burn('3d'), '3 days', 'D')),
  )
  .withPanel(
    rows(
      'Error budgets',
      'Each service over all its nodes: what is left of its budget, and how fast it is used.',
      [serviceKey],
      [
        {
          title: 'Up, 30 days',
          expr: `max by (service) (service:fettle_service_up:avg30d{${recorded}})`,
          show: unit('percentunit', 3),
        },
        {
          title: 'Budget left',
          expr: `min by (service) (${budgetLeft})`,
          show: [
            ...unit('percentunit', 0),
            ...coloured('color-background', from('red', [0, 'orange'], [0.25, 'green'])),
          ],
        },
        { title: 'Burn, 1 hour', expr: burnOfEach('1h'), show: burnt },
        { title: 'Burn, 6 hours', expr: burnOfEach('6h'), show: burnt },
        { title: 'Burn, 3 days', expr: burnOfEach('3d'), show: burnt },
      ],
    )
      .span(12)
      .sortBy(descending('Burn, 1 hour')),
  )
  .withRow(new dashboard.RowBuilder('Health'))
  .withPanel(
    states(
      'Health of the probes',
      'Which probe failed, on which node, since when.',
      upOrDown,
      `fettle_probe_up{${service}}`,
      '{{service}} {{probe}} {{instance}}',
    )
      .height(9)
      .span(12)
      .dataLinks(dataLinks(toNode('${__field.labels.instance}'), agentOfSeries)),
  )
  .withPanel(
    states(
      'What it depends on',
      'The health of the services that it depends on, where they run: repair these first.',
      upOrDown,
      dependencies,
      '{{service}} needs {{depends_on}} {{instance}}',
    )
      .height(9)
      .span(12)
      .dataLinks(dataLinks(toService('${__field.labels.depends_on}'))),
  )
  .withRow(new dashboard.RowBuilder('Probes'))
  .withPanel(
    counts(
      'Failures by reason',
      'Probe runs that failed, before thresholds.',
      eventsFromBirth('service, probe, reason', `fettle_probe_failures_total{${service}}`),
      '{{service}} {{probe}}: {{reason}}',
    )
      .span(12)
      .legend(legendBeside()),
  )
  .withPanel(
    lines(
      'Duration of runs',
      'How long the last run of each probe took; of several nodes the longest.',
      's',
      `max by (service, probe) (probe_duration_seconds{${service}})`,
      '{{service}} {{probe}}',
    ).span(6),
  )
  .withPanel(
    lines(
      'Where HTTP requests take their time',
      'Mean time by phase: resolve, connect, tls, processing until the first byte, transfer.',
      's',
      `avg by (phase) (probe_http_duration_seconds{${service}})`,
      '{{phase}}',
    )
      .span(6)
      .fillOpacity(40)
      .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A')),
  );

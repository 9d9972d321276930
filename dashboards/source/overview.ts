// The fleet at a glance: is anything down, since when, what did the agents do about it, and are they well themselves.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import {
  board,
  counts,
  dataSource,
  from,
  legendBelow,
  legendBeside,
  lines,
  node,
  number,
  query,
  service,
  tableQuery,
  thresholds,
} from './parts';

const upOrDown = [
  {
    type: 'value',
    options: { '0': { text: 'down', color: 'red', index: 0 }, '1': { text: 'up', color: 'green', index: 1 } },
  } as unknown as dashboard.ValueMapping,
];

const nodes = new table.PanelBuilder()
  .title('Nodes')
  .description('One row per agent: the worst service, the mean success of its probes, and how the agent itself is.')
  .datasource(dataSource)
  .height(8)
  .span(24)
  .withTarget(tableQuery(`min by (instance) (fettle_service_up{${service}})`, 'A'))
  .withTarget(tableQuery(`avg by (instance) (avg_over_time(probe_success{${service}}[$__range]))`, 'B'))
  .withTarget(tableQuery(`max by (instance) (fettle_loop_stall_seconds{${node}})`, 'C'))
  .withTarget(tableQuery(`min by (instance) (fettle_config_last_reload_successful{${node}})`, 'D'))
  .withTransformation({ id: 'merge', options: {} })
  .withTransformation({
    id: 'organize',
    options: {
      excludeByName: { Time: true },
      indexByName: { instance: 0, 'Value #A': 1, 'Value #B': 2, 'Value #C': 3, 'Value #D': 4 },
      renameByName: {
        instance: 'Node',
        'Value #A': 'Worst service',
        'Value #B': 'Availability',
        'Value #C': 'Longest turn',
        'Value #D': 'Configuration',
      },
    },
  })
  .overrideByName('Worst service', [
    { id: 'mappings', value: upOrDown },
    { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } },
  ])
  .overrideByName('Availability', [
    { id: 'unit', value: 'percentunit' },
    { id: 'decimals', value: 2 },
    { id: 'min', value: 0.9 },
    { id: 'max', value: 1 },
    { id: 'thresholds', value: { mode: 'absolute', steps: from('red', [0.99, 'yellow'], [0.999, 'green']) } },
    { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic' } },
  ])
  .overrideByName('Longest turn', [
    { id: 'unit', value: 's' },
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
    { id: 'thresholds', value: { mode: 'absolute', steps: from('green', [0.1, 'orange'], [0.5, 'red']) } },
  ])
  .overrideByName('Configuration', [
    {
      id: 'mappings',
      value: [
        {
          type: 'value',
          options: { '0': { text: 'reload failed', color: 'red' }, '1': { text: 'as in the file', color: 'green' } },
        },
      ],
    },
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
  ]);

export const overview = board(
  'fettle-overview',
  'fettle / Fleet overview',
  'Every node and service that the agents look after: health, alerts, recoveries, notifications.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Nodes reporting',
      'Agents that answered the last scrape.',
      `count(fettle_build_info{${node}}) or vector(0)`,
      'short',
      from('red', [1, 'green']),
    ),
  )
  .withPanel(
    number(
      'Services down',
      'Services that are down right now, after their thresholds.',
      `count(fettle_service_up{${service}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Availability',
      'Mean success of all probes over the shown range.',
      `avg(avg_over_time(probe_success{${service}}[$__range]))`,
      'percentunit',
      from('red', [0.99, 'yellow'], [0.999, 'green']),
    ).decimals(2),
  )
  .withPanel(
    number(
      'Firing alerts',
      'Alerts that fire right now.',
      `count(ALERTS{alertstate="firing",${service}}) or vector(0)`,
      'short',
      from('green', [1, 'orange'], [5, 'red']),
    ),
  )
  .withPanel(
    number(
      'Slowest probe',
      'The longest last run of all probes.',
      `max(probe_duration_seconds{${service}})`,
      's',
      from('green', [0.25, 'yellow'], [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Recovery actions',
      'Actions that were taken over the shown range; what dry runs would have done is not among them.',
      `sum(increase(fettle_recovery_actions_total{mode="enforce",${service}}[$__range])) or vector(0)`,
      'short',
      from('blue'),
    ).decimals(0),
  )
  .withRow(new dashboard.RowBuilder('Services'))
  .withPanel(
    new statetimeline.PanelBuilder()
      .title('Service health')
      .description('Each service on each node over time; a gap is a time in which nothing was known.')
      .datasource(dataSource)
      .height(9)
      .span(24)
      .mappings(upOrDown)
      .thresholds(thresholds(from('text')))
      .mergeValues(true)
      .showValue(common.VisibilityMode.Never)
      .rowHeight(0.85)
      .legend(legendBelow())
      .withTarget(query(`fettle_service_up{${service}}`, '{{service}} {{instance}}')),
  )
  .withPanel(
    lines(
      'Probe duration',
      'The slowest probe of each service.',
      's',
      `max by (service) (probe_duration_seconds{${service}})`,
      '{{service}}',
    ).legend(legendBeside()),
  )
  .withPanel(
    lines(
      'Failed probe runs',
      'Failures per second by reason, before thresholds: what is about to go wrong shows here first.',
      'ops',
      `sum by (service, reason) (rate(fettle_probe_failures_total{${service}}[$__rate_interval]))`,
      '{{service}} {{reason}}',
    ).legend(legendBeside()),
  )
  .withRow(new dashboard.RowBuilder('Recovery and notification'))
  .withPanel(
    counts(
      'Incidents',
      'Incidents that ended, by how: healed by a recovery, ended by a person, or by itself.',
      `sum by (service, end) (increase(fettle_incidents_total{${service}}[$__rate_interval]))`,
      '{{service}}: {{end}}',
    ),
  )
  .withPanel(
    counts(
      'Actions by result',
      'Recovery actions, dry runs included.',
      `sum by (service, action, result) (increase(fettle_recovery_actions_total{${service}}[$__rate_interval]))`,
      '{{service}}: {{action}} {{result}}',
    ),
  )
  .withPanel(
    counts(
      'Refused recoveries',
      'Recoveries that a guard refused, by the name of the guard.',
      `sum by (service, reason) (increase(fettle_recovery_blocked_total{${service}}[$__rate_interval]))`,
      '{{service}}: {{reason}}',
    ),
  )
  .withPanel(
    counts(
      'Notifications',
      'Messages by receiver and result.',
      `sum by (receiver, result) (increase(fettle_notifications_total{${node}}[$__rate_interval]))`,
      '{{receiver}} {{result}}',
    ),
  )
  .withRow(new dashboard.RowBuilder('Agents'))
  .withPanel(nodes);

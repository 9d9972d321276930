// The fleet at a glance: is anything down, since when, what did the agents do about it, and on which node to look.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  agentOfSeries,
  board,
  coloured,
  counts,
  dataLinks,
  events,
  eventsFromBirth,
  fleet,
  from,
  legendBeside,
  node,
  nodeKey,
  number,
  rows,
  service,
  states,
  toBoard,
  toService,
  unit,
  upOrDown,
  words,
  worded,
} from './parts';

export const overview = board(
  'fettle-overview',
  'fettle / Fleet overview',
  'Every node and service that the agents look after: what is down, since when, and what was done about it.',
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
      'Nodes silent',
      'Agents that did not answer the last scrape: nothing is known of their services.',
      `count(up{${node}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ).dataLinks(dataLinks(toBoard('fettle-agent', 'The agents'))),
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
      'Alerts that fire right now, also those about all nodes together.',
      `count(ALERTS{alertstate="firing",${service}} or ALERTS{alertstate="firing",${fleet}}) or vector(0)`,
      'short',
      from('green', [1, 'orange'], [5, 'red']),
    ).dataLinks(dataLinks(toBoard('fettle-incidents', 'Incidents and recoveries'))),
  )
  .withPanel(
    number(
      'Recovery actions',
      'Actions that were taken over the shown range; what dry runs would have done is not among them.',
      `sum(increase(fettle_recovery_actions_total{mode="enforce",${service}}[$__range])) or vector(0)`,
      'short',
      from('blue'),
    )
      .decimals(0)
      .dataLinks(dataLinks(toBoard('fettle-incidents', 'Incidents and recoveries'))),
  )
  .withRow(new dashboard.RowBuilder('Services'))
  .withPanel(
    states(
      'Service health',
      'Each service on each node over time; a gap is a time in which nothing was known.',
      upOrDown,
      `fettle_service_up{${service}}`,
      '{{service}} {{instance}}',
    )
      .height(11)
      .dataLinks(dataLinks(toService('${__field.labels.service}'), agentOfSeries)),
  )
  .withPanel(
    counts(
      'Failed probe runs',
      'Probe runs that failed, by reason, before thresholds: what is about to go wrong shows here first.',
      eventsFromBirth('service, reason', `fettle_probe_failures_total{${service}}`),
      '{{service}} {{reason}}',
    )
      .span(12)
      .legend(legendBeside())
      .dataLinks(dataLinks(toService('${__field.labels.service}'))),
  )
  .withPanel(
    counts(
      'Recovery actions by result',
      'What the agents did, dry runs included.',
      events('service, action, result', `fettle_recovery_actions_total{${service}}`),
      '{{service}}: {{action}} {{result}}',
    )
      .span(12)
      .legend(legendBeside()),
  )
  .withRow(new dashboard.RowBuilder('Nodes'))
  .withPanel(
    rows(
      'Nodes in the fleet',
      'One row per agent: how many of its services are down, the mean success of its probes, and how the agent is.',
      [nodeKey],
      [
        {
          title: 'Services',
          expr: `count by (instance) (fettle_service_up{${service}})`,
          show: unit('short'),
        },
        {
          title: 'Down',
          expr: `sum by (instance) (fettle_service_up{${service}} == bool 0)`,
          show: [...unit('short'), ...coloured('color-background', from('green', [1, 'red']))],
        },
        {
          title: 'Availability',
          expr: `avg by (instance) (avg_over_time(probe_success{${service}}[$__range]))`,
          show: [
            ...unit('percentunit', 2),
            { id: 'min', value: 0 },
            { id: 'max', value: 1 },
            ...coloured('gauge', from('red', [0.99, 'yellow'], [0.999, 'green'])),
          ],
        },
        {
          title: 'Actions left',
          expr: `min by (instance) (fettle_recovery_node_actions_left{${node}})`,
          show: [...unit('short'), ...coloured('color-text', from('red', [1, 'orange'], [3, 'green']))],
        },
        {
          title: 'Configuration',
          expr: `min by (instance) (fettle_config_last_reload_successful{${node}})`,
          show: worded(words([0, 'reload failed', 'red'], [1, 'as in the file', 'green']), 'color-text'),
        },
        {
          title: 'Longest turn',
          expr: `max by (instance) (fettle_loop_stall_seconds{${node}})`,
          show: [...unit('s'), ...coloured('color-text', from('green', [0.1, 'orange'], [0.5, 'red']))],
        },
      ],
    ).height(7),
  );

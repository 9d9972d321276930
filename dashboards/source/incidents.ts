// What fires, what the agents do about it, whether that helps, and whether people were told.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  agentOfSeries,
  board,
  coloured,
  counts,
  dataLinks,
  descending,
  events,
  eventsFromBirth,
  fleet,
  from,
  legendBeside,
  lines,
  node,
  nodeKey,
  number,
  query,
  rows,
  service,
  serviceKey,
  states,
  toService,
  unit,
  wide,
  words,
} from './parts';

// What a plan does, as one number a plan.
const plan = [
  ['idle', 'nothing to do', 'semi-dark-green'],
  ['recovered', 'recovered', 'green'],
  ['acting', 'acting', 'blue'],
  ['verifying', 'verifying', 'light-blue'],
  ['backoff', 'waits for its next run', 'yellow'],
  ['holding', 'waits for what it cannot mend', 'yellow'],
  ['blocked', 'blocked by a guard', 'orange'],
  ['asking', 'asks a person', 'purple'],
  ['exhausted', 'gave up, needs a person', 'red'],
];
const planWords = words(...plan.map(([, text, color], value): [number, string, string] => [value, text, color]));
const planStates = plan
  .map(([state], value) => `fettle_recovery_state{state="${state}",${service}} * ${value}`)
  .join(' or ');

const mean = (metric: string) =>
  `sum(increase(${metric}_sum{${node}}[$__range])) / sum(increase(${metric}_count{${node}}[$__range]))`;
const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (le) (increase(${metric}_bucket{${node}}[$__range])))`;
const dryRun = `increase(fettle_recovery_actions_total{mode="dry_run",${service}}[$__range])`;
const labels = 'alertname, severity, service, instance';

export const incidents = board(
  'fettle-incidents',
  'fettle / Incidents and recoveries',
  'Alerts that fire, the recoveries that answered them, how long it took, and the messages to people.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Firing alerts',
      'Alerts that fire right now, also those about all nodes together.',
      `count(ALERTS{alertstate="firing",${service}} or ALERTS{alertstate="firing",${fleet}}) or vector(0)`,
      'short',
      from('green', [1, 'orange'], [5, 'red']),
    ),
  )
  .withPanel(
    number(
      'Needs a person',
      'Plans that gave up or ask for an approval.',
      `count(fettle_recovery_state{state=~"exhausted|asking",${service}} == 1) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Healed',
      'Part of the incidents of the shown range that a recovery ended.',
      `sum(increase(fettle_incidents_total{end="healed",${service}}[$__range])) ` +
        `/ sum(increase(fettle_incidents_total{${service}}[$__range]))`,
      'percentunit',
      from('red', [0.5, 'yellow'], [0.9, 'green']),
    ).decimals(0),
  )
  .withPanel(
    number(
      'Time to detect',
      'Mean time from the first sign of a failure to the verdict down, over the shown range.',
      mean('fettle_detection_latency_seconds'),
      's',
      from('blue'),
    ),
  )
  .withPanel(
    number(
      'Time to recover',
      'Mean time from the first failed run of an incident until nothing of it was wrong, over the shown range.',
      mean('fettle_incident_duration_seconds'),
      's',
      from('blue'),
    ),
  )
  .withPanel(
    number(
      'Messages waiting',
      'Messages that receivers have not taken yet.',
      `sum(fettle_notifications_waiting{${node}}) or vector(0)`,
      'short',
      from('green', [1, 'yellow'], [20, 'red']),
    ),
  )
  .withRow(new dashboard.RowBuilder('Open'))
  .withPanel(
    rows(
      'Alerts firing now',
      'Alerts that fire, the longest first. Those without a node are about all of them.',
      [{ label: 'alertname', title: 'Alert' }, { label: 'severity', title: 'Severity' }, serviceKey, nodeKey],
      [
        {
          title: 'Since',
          expr:
            `time() - max by (${labels}) (ALERTS_FOR_STATE{${service}} or ALERTS_FOR_STATE{${fleet}}) ` +
            `and on (${labels}) (ALERTS{alertstate="firing",${service}} or ALERTS{alertstate="firing",${fleet}})`,
          show: [...unit('dtdhms'), wide(130)],
        },
      ],
    )
      .height(9)
      .span(12)
      .sortBy(descending('Since')),
  )
  .withPanel(
    states(
      'Recovery plans',
      'What the plan of each service does, over time.',
      planWords,
      `sum by (service, instance) (${planStates})`,
      '{{service}} {{instance}}',
    )
      .height(9)
      .span(12)
      .dataLinks(dataLinks(toService('${__field.labels.service}'), agentOfSeries)),
  )
  .withRow(new dashboard.RowBuilder('What was done'))
  .withPanel(
    counts(
      'Actions by result',
      'Recovery actions, dry runs included.',
      events('service, action, result', `fettle_recovery_actions_total{${service}}`),
      '{{service}}: {{action}} {{result}}',
    )
      .span(12)
      .legend(legendBeside()),
  )
  .withPanel(
    counts(
      'Refused recoveries',
      'Recoveries that a guard refused, by the name of the guard; fettle explain SERVICE says what it waits for.',
      eventsFromBirth('service, reason', `fettle_recovery_blocked_total{${service}}`),
      '{{service}}: {{reason}}',
    )
      .span(12)
      .legend(legendBeside()),
  )
  .withPanel(
    rows(
      'What dry runs would have done',
      'Services whose plan touches nothing yet, in the shown range: which actions it would have taken, and how their incidents ended without it. Whether to switch it on, and why, fettle trust SERVICE says on the node.',
      [serviceKey, nodeKey],
      [
        {
          title: 'Would-be actions',
          expr: `sum by (service, instance) (${dryRun})`,
          show: [...unit('short', 0), ...coloured('color-text', from('text', [0.5, 'blue']))],
        },
        ...[
          ['Ended by themselves', 'itself'],
          ['Ended by people', 'person'],
        ].map(([title, end]) => ({
          title,
          expr:
            `sum by (service, instance) (increase(fettle_incidents_total{end="${end}",${service}}[$__range])) ` +
            `and on (service, instance) ${dryRun}`,
          show: unit('short', 0),
        })),
      ],
    )
      .height(6)
      .span(16)
      .sortBy(descending('Would-be actions')),
  )
  .withPanel(
    counts(
      'Objectives missed',
      'Incidents that took longer than an objective of their service allows, by objective; those of drills do not count.',
      events('service, objective', `fettle_incident_objectives_missed_total{${service}}`),
      '{{service}}: {{objective}}',
    )
      .height(6)
      .span(8),
  )
  .withRow(new dashboard.RowBuilder('How it ended'))
  .withPanel(
    counts(
      'Incidents by end',
      'Incidents that ended, by how: healed by a recovery, ended by a person, or by itself.',
      events('service, end', `fettle_incidents_total{${service}}`),
      '{{service}}: {{end}}',
    ).span(8),
  )
  .withPanel(
    lines(
      'How long incidents took',
      'Quantiles of the incidents that ended in the shown range before each time.',
      's',
      quantile(0.5, 'fettle_incident_duration_seconds'),
      'half of them',
    )
      .span(8)
      .withTarget(query(quantile(0.9, 'fettle_incident_duration_seconds'), '90 %', 'B')),
  )
  .withPanel(
    counts(
      'Messages by result',
      'Messages by receiver and result: sent, retried, refused, parked, silenced.',
      events('receiver, result', `fettle_notifications_total{${node}}`),
      '{{receiver}} {{result}}',
    ).span(8),
  );
